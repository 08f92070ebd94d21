"""The error of a user's mistake."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """What was found, where, what was expected and what to do, in one line."""


def unknown_choice(what: str, found: object, choices: Iterable[str]) -> UserError:
    """The error for a value that is none of `choices`; it lists them and names the nearest one."""
    known = sorted(choices)
    near = get_close_matches(str(found), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UserError(f"{what} is {found!r}; expected one of: {', '.join(known)}{hint}")
