"""When Python looks for garbage: rarely during imports, never at the end of what has PyTorch."""

import atexit
import gc
import sys

_USUAL = gc.get_threshold()
_RARELY = (100_000, 20, 100)


def collect_rarely() -> None:
    """Look through new objects once there are 100,000, not 700, as Python does by itself.

    Called where a package is imported first. The libraries of one training are a million objects
    that stay; to look through them 1,300 times is a fifth of the time to import them. Nor are they
    looked through when the process ends, see `_leave_libraries`.
    """
    gc.set_threshold(*_RARELY)
    atexit.register(_leave_libraries)


def collect_as_usual() -> None:
    """Go back to Python's own, and never again look through what there is by now.

    For what runs long behind its imports: garbage may hold the memory of a GPU.
    """
    gc.freeze()
    gc.set_threshold(*_USUAL)


def _leave_libraries() -> None:
    """Look for no garbage at the end of a process that has PyTorch: memory is freed with it.

    Python would look through all objects several times: 1.5 to 2.4 s with the libraries of a
    training (docs/LOG.md). Not where DuckDB is, which reports on stderr what was not freed.
    """
    if "torch" in sys.modules and "duckdb" not in sys.modules:
        gc.freeze()
