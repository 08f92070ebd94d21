"""A prediction.txt, itself or in a zip, read line by line and checked, whoever wrote it."""

import io
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import cast

from newsrec.archives import open_zip
from newsrec.errors import UserError
from newsrec.files import read_lines

MEMBER = "prediction.txt"
MAX_BYTES = 10 * 10**9  # in a zip; that of MIND's hidden test has less than one


def check_line(text: str, impression_id: str, num_candidates: int, where: str) -> list[str]:
    """The ranks of one line, which must be as the leaderboard wants them."""
    head = f"{impression_id} ["
    if text.startswith(head) and text.endswith("]"):
        ranks = text[len(head) : -1].split(",")
        if len(ranks) == num_candidates and set(ranks) == _one_to(num_candidates):
            return ranks
    raise UserError(f"{where}: {_fault(text, impression_id, num_candidates)}")


@cache
def _one_to(number: int) -> frozenset[str]:
    return frozenset(map(str, range(1, number + 1)))


def _fault(text: str, impression_id: str, num_candidates: int) -> str:
    """What is wrong with a line that did not pass, and what would be right."""
    if not text.strip():
        return f"a blank line; expected impression {impression_id!r} and its ranks; remove it"
    found = impression_of(text)
    if found != impression_id:
        return (
            f"impression {found!r}; expected {impression_id!r}: one line for each impression in "
            "the order of behaviors.tsv; add, remove or sort lines"
        )
    match = re.fullmatch(rf"{re.escape(impression_id)} \[([^\s\[\]]*)\]", text)
    if match is None:
        return (
            f"{shortened(text)}; expected '{impression_id} [2,1,...]' with one space before the "
            "bracket and no other; take the other characters out"
        )
    ranks = match[1].split(",") if match[1] else []
    if len(ranks) != num_candidates:
        return (
            f"found {len(ranks)} ranks, expected {num_candidates}, one for each candidate of that "
            "line of behaviors.tsv; rank all of them"
        )
    places: dict[str, int] = {}
    for place, rank in enumerate(ranks, start=1):
        if rank not in _one_to(num_candidates):
            return (
                f"rank {rank!r} at place {place}; expected a whole number from 1 to "
                f"{num_candidates}; write ranks, not scores"
            )
        if rank in places:
            return (
                f"rank {rank} at places {places[rank]} and {place}; expected each from 1 to "
                f"{num_candidates} once; break ties"
            )
        places[rank] = place
    raise AssertionError(f"no fault in {text!r}")


def impression_of(text: str) -> str:
    """The impression id that a line begins with, whatever follows it."""
    return re.split(r"[\s\[]", text.strip(), maxsplit=1)[0]


def shortened(text: str) -> str:
    """A line as an error shows it."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


def name_of(prediction: Path) -> str:
    """The file as an error names it."""
    return f"{prediction}, {MEMBER}" if _is_zip(prediction) else str(prediction)


def _is_zip(prediction: Path) -> bool:
    return prediction.suffix.lower() == ".zip"


def read_prediction(prediction: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of prediction.txt, itself or in a zip, one in memory at a time.

    Raises:
        UserError: there is no such file, the zip is refused (see `newsrec.archives`), or a line is
            too long, has other line ends or is not UTF-8.
    """
    name = name_of(prediction)
    text = MEMBER if _is_zip(prediction) else shlex.quote(str(prediction))
    with _opened(prediction) as stream:
        for line, row in read_lines(stream, name):
            if row.endswith(b"\r"):
                raise UserError(
                    f"{name}, line {line}: ends in \\r\\n (Windows); expected \\n alone; fix "
                    f"it with: sed -i 's/\\r$//' {text}"
                )
            if line == 1 and row.startswith(b"\xef\xbb\xbf"):
                raise UserError(
                    f"{name}, line 1: starts with a byte order mark; expected none; fix "
                    f"it with: sed -i '1s/^\\xEF\\xBB\\xBF//' {text}"
                )
            try:
                yield line, row.decode()
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{name}, line {line}: byte {row[error.start]:#04x} at position "
                    f"{error.start} is not UTF-8; expected UTF-8; write {text} again"
                ) from None


@contextmanager
def _opened(prediction: Path) -> Iterator[io.BufferedReader]:
    if not prediction.is_file():
        raise UserError(f"{prediction}: no such file; expected {MEMBER} or a .zip that holds it")
    if not _is_zip(prediction):
        with prediction.open("rb") as stream:
            yield stream
        return
    remedy = (
        f"expected a zip with {MEMBER} at its top; make it with: zip {prediction.name} {MEMBER}"
    )
    with open_zip(prediction, MAX_BYTES, remedy) as archive:
        if MEMBER not in archive.namelist():
            raise UserError(f"{prediction}: there is no item named {MEMBER!r}; {remedy}")
        with archive.open(MEMBER) as member:
            # A member's own readline is Python, line by line.
            yield io.BufferedReader(cast(io.RawIOBase, member), 1 << 20)
