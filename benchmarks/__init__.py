"""What is measured beside the pipeline."""

from newsrec.running.interrupts import quit_at_interrupt

quit_at_interrupt()
