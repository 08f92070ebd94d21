"""What the commands that rank share: requests from JSON lines, and how rankings are printed."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from newsrec.errors import UserError
from newsrec.files import parse_json_line

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Ranked = TypeVar("Ranked", bound="DataclassInstance")


def check_given(
    requests: str | None,
    option: str,
    ranked: Sequence[str] | None,
    *others: Sequence[str] | None,
) -> None:
    """Check what a command was given: a file of requests, or the titles of one.

    Args:
        requests: the file.
        option: by which a title to rank is given.
        ranked: those that were given by it.
        others: titles given by other options.

    Raises:
        UserError: neither, or both.
    """
    if (requests is None) == (not ranked):
        raise UserError(f"expected either {option} (two or more) or a file of requests")
    if requests is not None and any(others):
        raise UserError("titles beside a file of requests; put them into the lines of the file")


def read_ranking_requests(
    lines: Iterable[str], where: str, names: Sequence[str], listed: str
) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """Yield a description of the place and the lists of each request, one a line.

    Args:
        lines: of JSON, an object of lists each; blank ones are skipped.
        where: the file, or - for standard input, for errors.
        names: of the lists that a request may have; the first is that of what to rank.
        listed: what they are lists of, for errors, such as `titles`.

    Raises:
        UserError: a line is no such request.
    """
    source = "standard input" if where == "-" else where
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        here = f"{source}, line {number}"
        values = parse_json_line(line, here)
        if not isinstance(values, dict) or not values.get(names[0]):
            raise UserError(f"{here}: expected an object with {names[0]}, a list of {listed}")
        if unknown := sorted(values.keys() - set(names)):
            raise UserError(
                f"{here}: unknown key {unknown[0]!r}; expected one of: {', '.join(names)}"
            )
        for name, given in values.items():
            if not isinstance(given, list):
                raise UserError(f"{here}: {name}: expected a list of {listed}")
        yield here, values


def print_rankings(
    rank: Callable[[Path], Iterable[Sequence[Ranked]]],
    as_json: bool,
    heading: str,
    row: Callable[[Ranked], str],
) -> None:
    """Rank, and print each ranking as a table, or as a line of JSON.

    Args:
        rank: gives the rankings, from an existing folder that is its own and temporary.
        as_json: instead of tables.
        heading: of each table.
        row: one line of it.
    """
    # The output of an engine must not mix with the result.
    with TemporaryDirectory(prefix="newsrec-rank-") as work, redirect_stdout(sys.stderr):
        rankings = list(rank(Path(work)))
    for number, ranking in enumerate(rankings):
        if as_json:
            print(json.dumps([asdict(one) for one in ranking], ensure_ascii=False))
            continue
        print("\n" * (number > 0) + heading)
        for one in ranking:
            print(row(one))
