"""The stages of the pipeline, one script each."""

from newsrec.interrupts import quit_at_interrupt
from newsrec.orphans import die_with_dvc

quit_at_interrupt()
die_with_dvc()
