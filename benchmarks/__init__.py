"""What is measured beside the pipeline."""

from newsrec.interrupts import quit_at_interrupt

quit_at_interrupt()
