"""newsrec: fine-tune a language model to recommend news, and measure honestly whether it helped."""

from newsrec.running.garbage import collect_rarely
from newsrec.running.interrupts import quit_at_interrupt
from newsrec.running.threads import prepare_threads

collect_rarely()
quit_at_interrupt()
prepare_threads()
