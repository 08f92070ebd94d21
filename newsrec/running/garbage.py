"""When Python looks for garbage: rarely while modules are imported, which make none."""

import atexit
import gc
import sys

_USUAL = gc.get_threshold()
_RARELY = (100_000, 20, 100)


def collect_rarely() -> None:
    """Look through new objects once there are 100,000, not 700, as Python does by itself.

    Called where a package is imported first. The libraries of one training are a million objects
    that stay; to look through them 1,300 times is a fifth of the time to import them.
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
    """At the end of a process that has PyTorch, look for no garbage: its memory is freed with it.

    Python would look through all objects several times, for one to two seconds; without PyTorch it
    takes little. DuckDB reports on stderr what was not freed.
    """
    if "torch" in sys.modules and "duckdb" not in sys.modules:
        gc.freeze()
