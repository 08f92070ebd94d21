"""newsrec: fine-tune a language model to recommend news, and measure honestly whether it helped."""

from newsrec.running.interrupts import quit_at_interrupt
from newsrec.running.threads import wait_asleep

quit_at_interrupt()
wait_asleep()
