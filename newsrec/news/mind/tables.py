"""MIND's two tables, read row by row and checked: an error names file and line.

Format: https://github.com/msnews/msnews.github.io/blob/master/assets/doc/introduction.md
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsrec.errors import UserError

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

_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2}):(\d{2}) (AM|PM)")


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


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of a tab-separated file without header or quoting.

    Raises:
        UserError: the file is missing or empty, or a line has Windows line ends, a byte that is not
            UTF-8, or another number of columns.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected MIND's {path.name} there")
    line = 0
    # Binary and split at \n alone: text mode would also split at a \r or U+2028 inside a title.
    with path.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            row = raw.removesuffix(b"\n")
            if row.endswith(b"\r"):
                raise UserError(
                    f"{path}, line {line}: ends in \\r\\n (Windows); expected \\n alone; "
                    f"fix it with: sed -i 's/\\r$//' {path}"
                )
            if line == 1 and row.startswith(b"\xef\xbb\xbf"):
                raise UserError(
                    f"{path}, line 1: starts with a byte order mark; expected none; "
                    f"fix it with: sed -i '1s/^\\xEF\\xBB\\xBF//' {path}"
                )
            try:
                fields = row.decode("utf-8").split("\t")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{path}, line {line}: byte {row[error.start]:#04x} at position {error.start} "
                    "is not UTF-8; fetch the file again, or convert it with iconv -t UTF-8"
                ) from None
            if len(fields) != len(columns):
                raise UserError(
                    f"{path}, line {line}: found {len(fields)} tab-separated columns, expected "
                    f"{len(columns)} ({', '.join(columns)}); restore the row from the original file"
                )
            yield line, fields
    if line == 0:
        raise UserError(f"{path}: empty, expected at least one row; fetch the data again")


def read_news(path: Path) -> dict[str, News]:
    """Read news.tsv into a mapping from news id.

    Raises:
        UserError: as `read_rows`, and for a news id that is empty or a duplicate.
    """
    news: dict[str, News] = {}
    first_line: dict[str, int] = {}
    for line, (news_id, category, subcategory, title, *_) in read_rows(path, NEWS_COLUMNS):
        if not news_id or " " in news_id:
            raise UserError(
                f"{path}, line {line}: news id {news_id!r}; expected one like 'N12345'; "
                "restore the row from the original file"
            )
        if news_id in news:
            raise UserError(
                f"{path}, line {line}: news id {news_id!r} is already in line "
                f"{first_line[news_id]}; remove one of the two rows"
            )
        first_line[news_id] = line
        news[news_id] = News(news_id, category, subcategory, title)
    return news


def read_behaviors(path: Path) -> Iterator[Impression]:
    """Yield the impressions of behaviors.tsv in file order, one in memory at a time.

    Raises:
        UserError: as `read_rows`, and for a time, a label or an id that is none.
    """
    for line, (impression_id, user_id, time, history, shown) in read_rows(path, BEHAVIORS_COLUMNS):
        if not impression_id or not user_id:
            raise UserError(
                f"{path}, line {line}: impression id {impression_id!r}, user id {user_id!r}; "
                "expected both to be set; restore the row from the original file"
            )
        candidates, labels = _parse_candidates(shown, f"{path}, line {line}")
        yield Impression(
            line=line,
            impression_id=impression_id,
            user_id=user_id,
            time=parse_time(time, f"{path}, line {line}"),
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


def _parse_candidates(shown: str, where: str) -> tuple[tuple[str, ...], tuple[int, ...] | None]:
    """Split `N1-1 N2-0` (or `N1 N2`, unlabelled) into ids and labels."""
    tokens = shown.split()
    if not tokens:
        raise UserError(f"{where}: no candidates; expected some like 'N123-1 N456-0'; correct it")
    if all("-" not in token for token in tokens):
        return tuple(tokens), None
    candidates, labels = [], []
    for token in tokens:
        news_id, _, label = token.rpartition("-")
        if not news_id or label not in ("0", "1"):
            raise UserError(
                f"{where}: candidate {token!r}; expected a news id with label -0 or -1 "
                "(or no label in the whole row); correct the row"
            )
        candidates.append(news_id)
        labels.append(int(label))
    return tuple(candidates), tuple(labels)
