"""behaviors.tsv read in blocks of columns, every row checked.

Arrow splits and compares the rows of a block. Where anything in them looks like a fault, the row
reader of `newsrec.news.mind.tables` reads the block: it words the fault, or finds none.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from newsrec.errors import UserError
from newsrec.news.mind.columns import (
    are_ids,
    bounds_of,
    bytes_of,
    characters_fit,
    pieces,
    read_columns,
)
from newsrec.news.mind.tables import (
    BEHAVIORS_COLUMNS,
    SEPARATORS,
    parse_time,
    read_behaviors,
)

EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Lists:
    """A list of news in each row.

    Attributes:
        codes: see `NewsCodes`; those of row i are codes[offsets[i]:offsets[i + 1]], int32.
        offsets: int64, one more than rows.
    """

    codes: np.ndarray
    offsets: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """The number of news in each row."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> np.ndarray:
        """Which row each code is in."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)

    def count(self, which: np.ndarray) -> np.ndarray:
        """How many codes of each row `which` is true for, or the sum of its numbers there."""
        total = np.concatenate([[0], np.cumsum(which)])
        return np.asarray(total[self.offsets[1:]] - total[self.offsets[:-1]])


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of behaviors.tsv that follow one another; each field but the first has an entry a row.

    Attributes:
        line: of the file, before the first row.
        starts: where the row begins in the file, in bytes, int64; and where the last one ends.
        times: seconds since 1970, int64.
        labels: of each candidate, int8; -1 in a row without labels.
    """

    line: int
    starts: np.ndarray
    impression_ids: list[str]
    user_ids: pa.StringArray
    times: np.ndarray
    history: Lists
    candidates: Lists
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.impression_ids)


class NewsCodes:
    """A number for each news id, counted from 0 in the order in which they were given."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = list(dict.fromkeys(ids))
        self._array = pa.array(self.ids, pa.string())

    def find(self, ids: pa.StringArray) -> pa.Int32Array:
        """The codes of `ids`, null where an id has none."""
        return pc.index_in(ids, value_set=self._array)

    def add(self, ids: pa.StringArray) -> np.ndarray:
        """The codes of `ids`; those that had none have one now."""
        codes = self.find(ids)
        if codes.null_count:
            self.ids += pc.unique(ids.filter(codes.is_null())).to_pylist()
            self._array = pa.array(self.ids, pa.string())
            codes = self.find(ids)
        return np.asarray(codes.to_numpy(zero_copy_only=False), np.int32)


@dataclass(frozen=True, slots=True)
class _Raw:
    """A block whose news have no codes yet: history first, then candidates."""

    line: int
    starts: np.ndarray
    impression_ids: list[str]
    user_ids: pa.StringArray
    times: np.ndarray
    ids: pa.StringArray
    history_offsets: np.ndarray
    candidates_offsets: np.ndarray
    labels: np.ndarray


def read_blocks(path: Path, news: NewsCodes) -> Iterator[Block]:
    """Yield the rows of behaviors.tsv in file order; memory stays flat however many there are.

    Args:
        path: of the file.
        news: ids that it does not know are added to it.

    Raises:
        UserError: as `read_behaviors`, for the same fault.
    """
    next(read_behaviors(path))  # raises if this is no such file
    num_workers = len(os.sched_getaffinity(0))
    pending: deque[Future[_Raw]] = deque()
    # Arrow's kernels work outside of Python's lock, so that threads are enough.
    with ThreadPoolExecutor(num_workers) as pool:
        try:
            for line, start, data in pieces(path):
                pending.append(pool.submit(_read, path, line, start, data))
                if len(pending) > num_workers:
                    yield _coded(pending.popleft().result(), news)
            while pending:
                yield _coded(pending.popleft().result(), news)
        finally:
            for future in pending:
                future.cancel()


def _coded(raw: _Raw, news: NewsCodes) -> Block:
    found = news.add(raw.ids)
    num_history = raw.history_offsets[-1]
    return Block(
        line=raw.line,
        starts=raw.starts,
        impression_ids=raw.impression_ids,
        user_ids=raw.user_ids,
        times=raw.times,
        history=Lists(found[:num_history], raw.history_offsets),
        candidates=Lists(found[num_history:], raw.candidates_offsets),
        labels=raw.labels,
    )


def to_seconds(time: datetime) -> int:
    """Seconds since 1970, as `Block.times`."""
    return int((time - EPOCH).total_seconds())


def _read(path: Path, line: int, start: int, data: bytes) -> _Raw:
    found = _plain(line, start, data)
    return found or _row_by_row(path, line, start, data)


def _row_by_row(path: Path, line: int, start: int, data: bytes) -> _Raw:
    """The same of rows that are not plain, or the fault in them."""
    rows = list(read_behaviors(path, data, line))
    lengths = [len(row) + 1 for row in data.removesuffix(b"\n").split(b"\n")]
    labels = [row.labels or [-1] * len(row.candidates) for row in rows]
    return _Raw(
        line=line,
        starts=start + _offsets(lengths),
        impression_ids=[row.impression_id for row in rows],
        user_ids=pa.array([row.user_id for row in rows], pa.string()),
        times=np.array([to_seconds(row.time) for row in rows], np.int64),
        ids=pa.array(
            [id_ for row in rows for id_ in row.history]
            + [id_ for row in rows for id_ in row.candidates],
            pa.string(),
        ),
        history_offsets=_offsets([len(row.history) for row in rows]),
        candidates_offsets=_offsets([len(row.candidates) for row in rows]),
        labels=np.array([label for row in labels for label in row], np.int8),
    )


def _plain(line: int, start: int, data: bytes) -> _Raw | None:
    """The columns of rows in which nothing looks like a fault; None where something does."""
    found = read_columns(data, BEHAVIORS_COLUMNS)
    if found is None:
        return None
    (impression_ids, user_ids, clock, history, shown), lengths = found
    if not (
        are_ids(impression_ids, " ")
        and are_ids(user_ids, "")
        and characters_fit(history, SEPARATORS)
        and characters_fit(shown, SEPARATORS)
    ):
        return None
    try:
        times = np.array([_time(text) for text in clock.to_pylist()], np.int64)
    except UserError:
        return None
    history_ids, history_offsets = _split(history)
    tokens, candidates_offsets = _split(shown)
    parsed = _candidates(tokens, candidates_offsets)
    if parsed is None:
        return None
    candidates, labels = parsed
    return _Raw(
        line=line,
        starts=start + _offsets(lengths),
        impression_ids=impression_ids.to_pylist(),
        user_ids=user_ids,
        times=times,
        ids=pa.concat_arrays([history_ids, candidates]),
        history_offsets=history_offsets,
        candidates_offsets=candidates_offsets,
        labels=labels,
    )


def _candidates(
    tokens: pa.StringArray, offsets: np.ndarray
) -> tuple[pa.StringArray, np.ndarray] | None:
    """Ids and labels of candidates like N1-1, or N1 without one; None where one is malformed."""
    if not np.diff(offsets).all():
        return None
    text, bounds = np.frombuffer(bytes_of(tokens), np.uint8), bounds_of(tokens)
    last = bounds[1:] - 1
    labelled = (
        (np.diff(bounds) > 2)
        & np.isin(text[last], np.frombuffer(b"01", np.uint8))
        & (text[last - 1] == ord("-"))
        & (text[last - 2] != ord("-"))
    )
    if labelled.all():
        return pc.utf8_slice_codeunits(tokens, 0, -2), (text[last] - ord("0")).astype(np.int8)
    has_dash = pc.match_substring(tokens, "-").to_numpy(zero_copy_only=False)
    of_row = np.logical_or.reduceat(has_dash, offsets[:-1])
    if (labelled != has_dash).any() or (np.repeat(of_row, np.diff(offsets)) != has_dash).any():
        return None
    ids = pc.if_else(pa.array(labelled), pc.utf8_slice_codeunits(tokens, 0, -2), tokens)
    return ids, np.where(labelled, text[last] - ord("0"), -1).astype(np.int8)


def _time(text: str) -> int:
    """`to_seconds` of MIND's time of day: few different days and clock times are parsed."""
    day, _, clock = text.partition(" ")
    return _day(day) + _clock(clock)


@lru_cache(maxsize=10_000)
def _day(text: str) -> int:
    return to_seconds(parse_time(f"{text} 12:00:00 AM", ""))


@lru_cache(maxsize=100_000)  # a day has 86,400 seconds
def _clock(text: str) -> int:
    return to_seconds(parse_time(f"1/1/1970 {text}", ""))


def _split(column: pa.StringArray) -> tuple[pa.StringArray, np.ndarray]:
    """The values between spaces, and where those of each row begin."""
    lists = pc.split_pattern(column, " ")
    values, offsets = lists.values, lists.offsets.to_numpy().astype(np.int64)
    there = np.diff(bounds_of(values)) > 0
    if there.all():
        return values, offsets
    return values.filter(pa.array(there)), np.concatenate([[0], np.cumsum(there)])[offsets]


def _offsets(lengths: Iterable[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))])
