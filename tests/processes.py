"""Other processes: to wait for what they do, and for their end."""

import time
from collections.abc import Callable
from contextlib import suppress

import psutil


def wait_for(done: Callable[[], object], seconds: float = 60) -> None:
    """Return as soon as it is done; an error if that takes far too long."""
    give_up = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def is_gone(*processes: psutil.Process) -> bool:
    """Whether all have ended; one that nobody has waited for has ended, too."""
    return not any(map(_runs, processes))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended in between
        return False


def children(process: psutil.Process, command: str) -> list[psutil.Process]:
    """Those that a process has started whose command line has this text in it."""
    found = []
    for child in process.children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if command in " ".join(child.cmdline()):
                found.append(child)
    return found
