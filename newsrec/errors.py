"""A user's mistake is one line and exit code 2; a traceback means a bug of ours."""

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches


class UserError(Exception):
    """What was found, where, what was expected and what to do, in one line."""


def unknown_choice(what: str, found: object, choices: Iterable[str]) -> UserError:
    """The error for a value that is none of `choices`; it lists them and names the nearest one."""
    known = sorted(choices)
    near = get_close_matches(str(found), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UserError(f"{what} is {found!r}; expected one of: {', '.join(known)}{hint}")


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`; a `UserError` becomes one line on stderr and exit code 2."""
    name = main.__globals__["__spec__"].name.rpartition(".")[2]
    try:
        main()
    except UserError as error:
        # One line whatever the message was made of: an upstream text may hold line ends.
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
