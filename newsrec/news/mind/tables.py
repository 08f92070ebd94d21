"""MIND's two tables, read row by row and checked: an error names file and line.

Format: https://github.com/msnews/msnews.github.io/blob/master/assets/doc/introduction.md
"""

import re
import shlex
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import NoReturn

from newsrec.errors import UserError
from newsrec.files import read_lines

NEWS_COLUMNS = (
    "news_id",
    "category",
    "subcategory",
    "title",
    "abstract",
    "url",
    "title_entities",
    "abstract_entities",
)
BEHAVIORS_COLUMNS = ("impression_id", "user_id", "time", "history", "impressions")

_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2}):(\d{2}) (AM|PM)", re.ASCII)
# Blank to the eye, though `str.isprintable` takes them for printable.
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# What other formats separate and quote the ids of a list with.
SEPARATORS = ",;'\"[]"
# What a file that is no UTF-8 text begins with.
_BEGINNINGS = {
    b"\xff\xfe": ("UTF-16 text", "convert it with iconv -f UTF-16 -t UTF-8"),
    b"\xfe\xff": ("UTF-16 text", "convert it with iconv -f UTF-16 -t UTF-8"),
    b"PK\x03\x04": ("a zip archive", "unpack it"),
    b"\x1f\x8b": ("compressed by gzip", "unpack it with gunzip"),
    b"version https://git-lfs": ("a pointer of Git LFS", "fetch the file with git lfs pull"),
}


@dataclass(frozen=True, slots=True)
class News:
    """What the pipeline uses of one news article."""

    news_id: str
    category: str
    subcategory: str
    title: str


@dataclass(frozen=True, slots=True)
class Impression:
    """One row of behaviors.tsv; `labels` is None where the split has none (MIND's hidden test)."""

    line: int
    impression_id: str
    user_id: str
    time: datetime
    history: tuple[str, ...]
    candidates: tuple[str, ...]
    labels: tuple[int, ...] | None


def read_rows(
    path: Path, columns: tuple[str, ...], data: bytes | None = None, before: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of a tab-separated file without header or quoting.

    Args:
        path: of the file.
        columns: that it has.
        data: whole lines of it, to be read alone.
        before: the number of lines before them.

    Raises:
        UserError: the file is missing, empty or no text, or a line is a header, is blank, is too
            long, has other line ends, a NUL, a byte that is not UTF-8, or another number of
            columns.
    """
    if not path.is_file():
        others = sorted(
            other.name
            for other in path.parent.glob("*")
            if other.name.lower().startswith(path.stem)
        )
        found = f"; found {', '.join(others)}: unpack or rename it" if others else ""
        raise UserError(f"{path}: no such file; expected MIND's {path.name} there{found}")
    line = 0
    # Binary and split at \n alone: text mode would also split at a \r or U+2028 inside a title.
    with path.open("rb") if data is None else BytesIO(data) as stream:
        for line, row in read_lines(stream, str(path), before):
            if line == 1:
                _check_beginning(path, row)
            where = f"{path}, line {line}"
            if b"\r" in row:
                _check_line_ends(path, row, len(columns), where)
            if b"\0" in row:
                raise UserError(
                    f"{where}: a NUL byte at position {row.index(0)}; expected UTF-8 text; the "
                    "file is damaged, or in UTF-16: fetch it again, or convert it with iconv"
                )
            try:
                fields = row.decode("utf-8").split("\t")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{where}: byte {row[error.start]:#04x} at position {error.start} "
                    "is not UTF-8; fetch the file again, or convert it with iconv -t UTF-8"
                ) from None
            if not row.strip():
                raise UserError(f"{where}: a blank line; expected a row; remove it")
            if len(fields) != len(columns):
                raise UserError(
                    f"{where}: found {len(fields)} tab-separated columns, expected "
                    f"{len(columns)} ({', '.join(columns)}); restore the row from the original file"
                )
            if line == 1 and _is_header(fields, columns):
                raise UserError(
                    f"{where}: a header; expected a row, MIND's files have no header; "
                    f"remove it with: sed -i 1d {shlex.quote(str(path))}"
                )
            yield line, fields
    if line == 0:
        raise UserError(f"{path}: empty, expected at least one row; fetch the data again")


def _check_beginning(path: Path, row: bytes) -> None:
    for beginning, (found, remedy) in _BEGINNINGS.items():
        if row.startswith(beginning):
            raise UserError(f"{path}: this is {found}; expected UTF-8 text; {remedy}")
    if row.startswith(b"\xef\xbb\xbf"):
        raise UserError(
            f"{path}, line 1: starts with a byte order mark; expected none; "
            f"fix it with: sed -i '1s/^\\xEF\\xBB\\xBF//' {shlex.quote(str(path))}"
        )


def _check_line_ends(path: Path, row: bytes, num_columns: int, where: str) -> None:
    """Refuse a \\r that ends a row; one inside a title is text."""
    parts = row.removesuffix(b"\r").split(b"\r")
    if len(parts) > 1 and all(part.count(b"\t") == num_columns - 1 for part in parts):
        raise UserError(
            f"{where}: {len(parts)} rows that end in \\r alone (old Macintosh); expected \\n; "
            f"write another file with: tr '\\r' '\\n' < {shlex.quote(str(path))}"
        )
    if row.endswith(b"\r"):
        raise UserError(
            f"{where}: ends in \\r\\n (Windows); expected \\n alone; "
            f"fix it with: sed -i 's/\\r$//' {shlex.quote(str(path))}"
        )


def _is_header(fields: list[str], columns: tuple[str, ...]) -> bool:
    names = [re.sub("[^a-z]", "", field.lower()) for field in fields]
    same = (name == column.replace("_", "") for name, column in zip(names, columns, strict=True))
    return sum(same) > 2  # others write nid for news_id


def read_news(path: Path) -> dict[str, News]:
    """Read news.tsv into a mapping from news id.

    Raises:
        UserError: as `read_rows`, and for a news id that is none or a duplicate.
    """
    news: dict[str, News] = {}
    first_line: dict[str, int] = {}
    for line, (news_id, category, subcategory, title, *_) in read_rows(path, NEWS_COLUMNS):
        _check_id("news id", news_id, " " + SEPARATORS, f"{path}, line {line}")
        if news_id in news:
            raise UserError(
                f"{path}, line {line}: news id {news_id!r} is already in line "
                f"{first_line[news_id]}; remove one of the two rows"
            )
        first_line[news_id] = line
        # Of a topic with a space behind it there would be two.
        news[news_id] = News(news_id, " ".join(category.split()), subcategory, title)
    return news


def read_behaviors(path: Path, data: bytes | None = None, before: int = 0) -> Iterator[Impression]:
    """Yield the impressions of behaviors.tsv in file order, one in memory at a time.

    With `data`, those of these whole lines of it, which `before` others precede.

    Raises:
        UserError: as `read_rows`, and for a time, a label or an id that is none.
    """
    rows = read_rows(path, BEHAVIORS_COLUMNS, data, before)
    for line, (impression_id, user_id, time, history, shown) in rows:
        where = f"{path}, line {line}"
        _check_id("impression id", impression_id, " ", where)  # ends it in the leaderboard's file
        _check_id("user id", user_id, "", where)
        _check_characters("history", history, SEPARATORS, where)
        _check_characters("candidates", shown, SEPARATORS, where)
        candidates, labels = _parse_candidates(shown, where)
        yield Impression(
            line=line,
            impression_id=impression_id,
            user_id=user_id,
            time=parse_time(time, where),
            history=tuple(history.split()),
            candidates=candidates,
            labels=labels,
        )


def parse_time(text: str, where: str) -> datetime:
    """Parse MIND's time of day, like `11/12/2019 2:14:46 PM`.

    Raises:
        UserError: the text is no such time; `where` names its place.
    """
    # Not strptime: its %p follows the machine's locale.
    match = _TIME.fullmatch(text)
    if match:
        month, day, year, hour, minute, second = (int(part) for part in match.groups()[:6])
        if 1 <= hour <= 12:
            try:
                return datetime(
                    year, month, day, hour % 12 + 12 * (match[7] == "PM"), minute, second
                )
            except ValueError:
                pass  # such as 13/45/2019: reported below with all other bad times
    raise UserError(
        f"{where}: time {text!r}; expected month/day/year like '11/12/2019 2:14:46 PM'; "
        "correct the row"
    )


def format_time(time: datetime) -> str:
    """Write a time as MIND does; the inverse of `parse_time`."""
    hour = time.hour % 12 or 12
    half = "PM" if time.hour >= 12 else "AM"
    return f"{time.month}/{time.day}/{time.year} {hour}:{time.minute:02d}:{time.second:02d} {half}"


def _check_id(what: str, text: str, forbidden: str, where: str) -> None:
    if not text:
        raise UserError(f"{where}: {what} ''; expected one; restore the row from the original file")
    _check_characters(what, text, forbidden, where)
    if text[0] == " " or text[-1] == " ":
        _refuse_character(what, text, 0 if text[0] == " " else len(text) - 1, where)


def _check_characters(what: str, text: str, forbidden: str, where: str) -> None:
    """Refuse what is forbidden or prints nothing: ids that print alike would be two."""
    # As a whole at first: MIND has tens of millions of ids.
    printable = text.isprintable() and (text.isascii() or not BLANK.search(text))
    if printable and not any(char in text for char in forbidden):
        return
    for place, char in enumerate(text):
        if char in forbidden or not char.isprintable() or BLANK.match(char):
            _refuse_character(what, text, place, where)


def _refuse_character(what: str, text: str, place: int, where: str) -> NoReturn:
    name = unicodedata.name(text[place], "control character")
    near = text[max(0, place - 20) : place + 20]
    raise UserError(
        f"{where}: {what} {near!r} has U+{ord(text[place]):04X} ({name}) at place {place + 1}; "
        "expected ids like 'U123' and 'N123', lists of them separated by spaces; take it out"
    )


def _parse_candidates(shown: str, where: str) -> tuple[tuple[str, ...], tuple[int, ...] | None]:
    """Split `N1-1 N2-0` (or `N1 N2`, unlabelled) into ids and labels."""
    tokens = shown.split()
    if not tokens:
        raise UserError(f"{where}: no candidates; expected some like 'N123-1 N456-0'; correct it")
    if all("-" not in token for token in tokens):
        return tuple(tokens), None
    candidates, labels = [], []
    negative = "--" in shown  # N1--1 is no click of N1-, but a label of -1
    for token in tokens:
        news_id, _, label = token.rpartition("-")
        if not news_id or label not in ("0", "1") or (negative and news_id.endswith("-")):
            raise UserError(
                f"{where}: candidate {token!r}; expected a news id with label -0 or -1 "
                "(or no label, and no '-', in the whole row); correct the row"
            )
        candidates.append(news_id)
        labels.append(int(label))
    return tuple(candidates), tuple(labels)
