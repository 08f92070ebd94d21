"""The files of a category of Amazon Reviews 2023, read row by row: ratings, and metadata of items.

Source: Hou, Li, He, Yan, Chen and McAuley: Bridging Language and Items for Retrieval and
Recommendation, 2024 (https://arxiv.org/abs/2403.03952).
"""

import csv
import gzip
import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from newsrec.errors import UserError
from newsrec.files import read_lines

RATING_COLUMNS = ("user_id", "parent_asin", "rating", "timestamp")
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
# How a file begins that is something else, and what it is then.
_OTHERS = {
    b"": "an empty file",
    b"version https://git-lfs": "a pointer of Git LFS",
    b"<": "a web page",
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
}
# Milliseconds of 1973: what is below is in seconds, as other editions of the reviews have it.
_FIRST_MS = 10**11
_LAST_MS = 10**13

Rating = tuple[str, str, float, int]  # user, item, stars, ms


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a row of metadata says of an item; text is unchanged.

    Attributes:
        item: its id.
        title: None where there is none.
        category: empty where there is none.
        description: its parts, joined by spaces.
        price: None where there is none, or no number, such as `from 5.99`.
        average_rating: 1 to 5.
        rating_number: ratings that the site counted.
    """

    item: str
    title: str | None
    category: str
    description: str
    price: float | None
    average_rating: float | None
    rating_number: int | None


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed, whatever its name says.

    Raises:
        UserError: it is neither text nor compressed by gzip.
    """
    with path.open("rb") as stream:
        start = stream.read(64)
    if start.startswith(_GZIP):
        return True
    for magic, kind in _OTHERS.items():
        if start.startswith(magic) if magic else not start:
            raise UserError(
                f"{path}: {kind}; expected text, plain or compressed by gzip; fetch it again"
            )
    return False


@contextmanager
def open_text(path: Path) -> Iterator[BinaryIO]:
    """Open a file of text that is plain or compressed, whatever its name says.

    Raises:
        UserError: there is no such file, it is of another kind, or what is compressed is broken,
            also where that is found inside the block.
    """
    try:
        with gzip.open(path, "rb") if is_gzip(path) else path.open("rb") as opened:
            yield cast(BinaryIO, opened)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the stage that makes it (dvc repro)") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: broken gzip ({error}); fetch it again") from None


def read_ratings(path: Path) -> Iterator[Rating]:
    """Yield each row of a file of ratings.

    Raises:
        UserError: see `open_text`; or another header, or a row that is none, with its line.
    """
    with open_text(path) as stream:
        lines = read_lines(stream, str(path))
        header = _fields(next(lines, (1, b""))[1].removeprefix(_BOM), path, 1)
        if header != list(RATING_COLUMNS):
            raise UserError(
                f"{path}, line 1: {','.join(header)[:80]!r}; expected the columns "
                f"{','.join(RATING_COLUMNS)}; give the file of ratings without text (rating_only)"
            )
        for number, line in lines:
            fields = _fields(line, path, number)
            if len(fields) != 4:
                raise _row_error(path, number, f"{len(fields)} columns", "4")
            user, item, stars, time = fields
            if not (_is_id(user) and _is_id(item)):
                raise _row_error(path, number, f"the ids {user[:40]!r} and {item[:40]!r}", "text")
            try:
                rating, timestamp = float(stars), int(time)
            except ValueError:
                raise _row_error(
                    path, number, f"{stars[:20]!r} and {time[:20]!r}", "a rating and a time"
                ) from None
            if not 1 <= rating <= 5:
                raise _row_error(path, number, f"the rating {stars[:20]}", "1 to 5")
            if not _FIRST_MS <= timestamp < _LAST_MS:
                raise _row_error(path, number, f"the time {time[:20]}", "milliseconds since 1970")
            yield user, item, rating, timestamp


def _fields(line: bytes, path: Path, number: int) -> list[str]:
    try:
        text = line.removesuffix(b"\r").decode()
        # The module csv, which is slower, is for the rare file that has quotes.
        return text.split(",") if '"' not in text else next(csv.reader([text], strict=True))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}, line {number}: not UTF-8 ({error}); convert it") from None
    except csv.Error as error:
        raise _row_error(
            path, number, f"{line[:40]!r} ({error})", "comma-separated values"
        ) from None


def read_metadata(path: Path) -> Iterator[Metadata]:
    """Yield what each row of a file of metadata says.

    Raises:
        UserError: see `open_text`; or a row that is no metadata of an item, with its line.
    """
    with open_text(path) as stream:
        for number, line in read_lines(stream, str(path)):
            try:
                row = json.loads(line.removeprefix(_BOM) if number == 1 else line)
            except (ValueError, RecursionError) as error:
                raise _row_error(path, number, f"{line[:40]!r} ({error})", "JSON") from None
            if not isinstance(row, dict) or not _is_id(row.get("parent_asin")):
                raise _row_error(
                    path, number, repr(line[:60]), "an object with the item's id as parent_asin"
                )
            yield _metadata(row, path, number)


def _metadata(row: dict[str, Any], path: Path, number: int) -> Metadata:
    def text(name: str) -> str | None:
        value = row.get(name)
        if not (value is None or isinstance(value, str)):
            raise _row_error(path, number, f"{name} is {str(value)[:40]!r}", "text or null")
        return value

    parts = row.get("description") or []
    parts = [parts] if isinstance(parts, str) else parts
    if not (isinstance(parts, list) and all(isinstance(part, str) for part in parts)):
        raise _row_error(
            path, number, f"description is {str(parts)[:40]!r}", "text or a list of texts"
        )
    count = _number(row.get("rating_number"))
    return Metadata(
        item=row["parent_asin"],
        title=text("title"),
        category=text("main_category") or "",
        description=" ".join(parts),
        price=_number(row.get("price")),
        average_rating=_number(row.get("average_rating")),
        rating_number=None if count is None else int(count),
    )


def _number(value: object) -> float | None:
    """A number, also one as text; None for anything else, and for what is below 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < math.inf else None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and bool(value.strip())


def _row_error(path: Path, line: int, found: str, expected: str) -> UserError:
    return UserError(f"{path}, line {line}: {found}; expected {expected}; correct the row")
