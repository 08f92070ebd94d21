"""A process ends with the one that it works for: a worker with its stage, a stage with DVC."""

import ctypes
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

_PR_SET_PDEATHSIG = 1


def die_with_parent(orphaned: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent ends; on Linux alone.

    Else a stage killed with -9 leaves a trainer behind that writes where the next run writes.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, orphaned)


def die_with_dvc() -> None:
    """End this process when the DVC that runs it as a stage ends; on Linux alone.

    Else a stage goes on behind a DVC that was killed with -9, nobody records what it makes, and
    the next `dvc repro` runs it again beside it. A stage that is run by hand is left alone: it may
    be meant to outlive its terminal.
    """
    if sys.platform != "linux" or not (stage := os.environ.get("DVC_STAGE")):
        return
    dvc = os.getppid()
    # Only what DVC starts has the name of the stage in its environment, DVC itself has not: a
    # shell between the two, which most shells replace by the command.
    while dvc > 1 and _environment(dvc).get("DVC_STAGE") == stage:
        dvc = _parent(dvc)
    if dvc == os.getppid():
        die_with_parent(signal.SIGKILL)
        if dvc != os.getppid():  # it ended in between
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        Thread(target=_die_after, args=(dvc,), daemon=True).start()


def _die_after(process: int) -> None:
    with suppress(ProcessLookupError):  # it has ended already
        select.select([os.pidfd_open(process)], [], [])
    os.kill(os.getpid(), signal.SIGKILL)


def _environment(process: int) -> dict[str, str]:
    """The variables that a process was started with; none of another user's."""
    try:
        content = Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return {}
    pairs = os.fsdecode(content).split("\0")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _parent(process: int) -> int:
    try:
        # Behind the name of the program, which may hold any character: state, parent.
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 1
