"""A stage from its start to its end: a user's mistake is one line and exit code 2.

A traceback means a bug of ours.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from newsrec.errors import UserError
from newsrec.running.copies import missing_in_copy
from newsrec.running.disks import explain_disk
from newsrec.running.interrupts import end_interrupted, is_interrupt, raise_at_interrupt
from newsrec.running.stage_runs import run_alone

_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@contextmanager
def report_user_error(name: str) -> Iterator[None]:
    """Turn a `UserError` in the block into one line on stderr and exit code 2; Ctrl-C into 130.

    A disk that is full or cannot be written is a `UserError` too, wherever it is found.
    """
    raise_at_interrupt()
    try:
        yield
    except UserError as error:
        # One line whatever the message was made of: an upstream text may hold line ends, or what
        # commands a terminal.
        shown = _NO_TEXT.sub("\ufffd", " ".join(str(error).split()))
        print(f"{name}: {shown}", file=sys.stderr)
        sys.exit(2)
    except BaseException as error:
        if is_interrupt(error):
            end_interrupted(name)
        if isinstance(error, Exception) and (problem := explain_disk(error)):
            print(f"{name}: {problem}", file=sys.stderr)
            sys.exit(2)
        raise


def run_program(main: Callable[[], None]) -> None:
    """Run the `main` of a program that is no stage; see `report_user_error`."""
    with report_user_error(_script(main)):
        main()


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main` as `run_alone` does; see `report_user_error`.

    Raises:
        SystemExit: the stage ended with a `UserError`, was interrupted, runs in a copy without
            files of the user's own, or is being run by another process.
    """
    script = _script(main)
    with report_user_error(script):
        if problem := missing_in_copy() or run_alone(script, main):
            raise UserError(problem)


def _script(main: Callable[[], None]) -> str:
    """The name of the file that `main` is in, without its suffix."""
    return Path(main.__globals__["__file__"]).stem
