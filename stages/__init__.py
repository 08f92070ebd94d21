"""The stages of the pipeline, one script each."""

from newsrec.interrupts import quit_at_interrupt

quit_at_interrupt()
