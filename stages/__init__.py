"""The stages of the pipeline, one script each."""

from newsrec.running.interrupts import quit_at_interrupt
from newsrec.running.orphans import die_with_dvc

quit_at_interrupt()
die_with_dvc()
