"""Where impressions are in their files, to be walked user by user in order of time."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from newsrec.errors import UserError
from newsrec.news.mind.blocks import EPOCH, Block
from newsrec.news.mind.tables import Impression

_SCHEMA = """
CREATE TABLE impressions (
    split VARCHAR, line BIGINT, start BIGINT, num_bytes BIGINT, user_id VARCHAR, time BIGINT,
    draw BIGINT, content UBIGINT, num_targets BIGINT
);
CREATE TABLE selected (split VARCHAR, line BIGINT, purpose VARCHAR);
"""
_MEMORY = "512MB"  # of DuckDB, which takes the disk for the rest
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class StoredImpression:
    """An impression, what it was selected for ("" for nothing) and the draw of its targets."""

    split: str
    impression: Impression
    purpose: str
    draw: int
    user_in_train: bool


class ImpressionStore:
    """A temporary DuckDB file that says where impressions are; memory stays flat."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: ExitStack) -> None:
        self._connection, self._files = connection, files
        self._streams: dict[str, int] = {}

    def open(self, split: str, path: Path) -> None:
        """Name the file of a split, whose rows are read again when they are walked."""
        self._streams[split] = os.open(path, os.O_RDONLY)
        self._files.callback(os.close, self._streams[split])

    def add(self, split: str, block: Block, draws: np.ndarray, num_targets: np.ndarray) -> None:
        """Store where the impressions of a block are, and the number of targets of each."""
        num = len(block)
        rows = pa.table(
            {
                "split": pa.repeat(split, num),
                "line": np.arange(block.line + 1, block.line + 1 + num),
                "start": block.starts[:-1],
                "num_bytes": np.diff(block.starts),
                "user_id": block.user_ids,
                "time": block.times,
                "draw": draws,
                "content": _contents_of(block),
                "num_targets": num_targets,
            }
        )
        self._connection.register("block", rows)
        self._connection.execute("INSERT INTO impressions SELECT * FROM block")
        self._connection.unregister("block")

    def check_ids(self, split: str) -> None:
        """Check a split after its last row.

        Raises:
            UserError: an impression id occurs twice.
        """
        # The draws of one split are equal where the ids are.
        repeated = "SELECT draw FROM impressions WHERE split = $1 GROUP BY draw HAVING COUNT(*) > 1"
        rows = self._connection.execute(
            "SELECT line, start, num_bytes FROM impressions "
            f"WHERE split = $1 AND draw IN ({repeated}) ORDER BY line",
            [split],
        ).fetchall()
        found: set[str] = set()
        for line, start, num_bytes in rows:
            impression_id = self._fields(split, start, num_bytes)[0]
            if impression_id in found:
                raise UserError(
                    f"{split}/behaviors.tsv, line {line}: impression id {impression_id!r} is there "
                    "twice; remove one of the two rows"
                )
            found.add(impression_id)

    def select(
        self, split: str, purpose: str, max_targets: int | None, max_impressions: int | None
    ) -> int:
        """Select impressions in the order of their draw, as many as the limits allow.

        One that is selected for another purpose is passed over.

        Returns:
            The number of impressions selected; those without a target never are.
        """
        limits = (max_targets, max_impressions)
        self._connection.execute(
            """
            INSERT INTO selected
            SELECT split, line, $2 FROM (
                SELECT split, line, draw, SUM(num_targets) OVER (ORDER BY draw, line) AS so_far
                FROM impressions ANTI JOIN selected USING (split, line)
                WHERE split = $1 AND num_targets > 0
            )
            WHERE so_far <= $3 ORDER BY draw, line LIMIT $4
            """,
            [split, purpose, *(_ALL if max_ is None else max_ for max_ in limits)],
        )
        query = "SELECT COUNT(*) FROM selected WHERE split = ? AND purpose = ?"
        return self._count(query, [split, purpose])

    def num_to_walk(self, others: bool) -> int:
        """The number of impressions that `walk` reads."""
        return self._count(f"SELECT COUNT(*) FROM {_walked(others)}", [])

    def walk(self, others: bool) -> Iterator[list[StoredImpression]]:
        """Yield the impressions of one user at one moment; users in order, moments too.

        Args:
            others: whether those of the same users that were not selected are among them.
        """
        result = self._connection.cursor().execute(
            f"""
            SELECT split, line, start, num_bytes, user_id, time, draw, COALESCE(purpose, ''),
                user_id IN (SELECT user_id FROM impressions WHERE split = 'train')
            FROM {_walked(others)}
            ORDER BY user_id, time, split, line
            """
        )
        rows = (row for rows in iter(lambda: result.fetchmany(_ROWS), []) for row in rows)
        for _, group in groupby(rows, key=lambda row: (row[4], row[5])):
            yield [self._restore(*row) for row in group]

    def num_repeated(self, split: str) -> int:
        """The impressions of a split that show what one before them does, whatever their ids."""
        query = f"SELECT COUNT(*) FROM ({_CONTENT})"
        all_rows = self._count("SELECT COUNT(*) FROM impressions WHERE split = ?", [split])
        return all_rows - self._count(query, [split])

    def num_shared(self, first: str, second: str) -> int:
        """The impressions that show the same in two splits, whatever their ids."""
        return self._count(
            f"SELECT COUNT(*) FROM ({_CONTENT} INTERSECT {_CONTENT})", [first, second]
        )

    def num_users(self, *splits: str) -> int:
        """The number of users that are in every one of `splits`."""
        each = "SELECT DISTINCT user_id FROM impressions WHERE split = ?"
        return self._count(
            f"SELECT COUNT(*) FROM ({' INTERSECT '.join([each] * len(splits))})", list(splits)
        )

    def _count(self, query: str, values: list[Any]) -> int:
        found = self._connection.execute(query, values).fetchone()
        assert found is not None
        return int(found[0])

    def _fields(self, split: str, start: int, num_bytes: int) -> list[str]:
        """The columns of a row."""
        # Not by mmap, whose pages would count as memory of this process.
        return os.pread(self._streams[split], num_bytes, start).decode().rstrip("\n").split("\t")

    def _restore(
        self,
        split: str,
        line: int,
        start: int,
        num_bytes: int,
        user_id: str,
        time: int,
        draw: int,
        purpose: str,
        user_in_train: bool,
    ) -> StoredImpression:
        impression_id, _, _, history, shown = self._fields(split, start, num_bytes)
        tokens = shown.split()
        # Checked when it was read: all have a label, or none has.
        has_labels = "-" in shown
        impression = Impression(
            line=line,
            impression_id=impression_id,
            user_id=user_id,
            time=EPOCH + timedelta(seconds=time),
            history=tuple(history.split()),
            candidates=tuple([token[:-2] for token in tokens] if has_labels else tokens),
            labels=tuple([1 if token[-1] == "1" else 0 for token in tokens])
            if has_labels
            else None,
        )
        return StoredImpression(split, impression, purpose, draw, user_in_train)


_ALL = 1 << 62
_CONTENT = "SELECT DISTINCT user_id, time, content FROM impressions WHERE split = ?"


def _walked(others: bool) -> str:
    if not others:
        return "impressions JOIN selected USING (split, line)"
    users = "SELECT user_id FROM impressions SEMI JOIN selected USING (split, line)"
    return f"impressions LEFT JOIN selected USING (split, line) WHERE user_id IN ({users})"


@contextmanager
def impression_store(folder: Path) -> Iterator[ImpressionStore]:
    """Open an empty store in a temporary file of `folder`; it is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / ".impressions"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY,
        "threads": len(os.sched_getaffinity(0)),
        "autoinstall_known_extensions": False,  # nothing is fetched
    }
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        connection = stack.enter_context(duckdb.connect(scratch / "rows.duckdb", config=config))
        connection.execute("SET enable_progress_bar = false")  # it has no line to itself
        connection.execute(_SCHEMA)
        yield ImpressionStore(connection, stack)


def _contents_of(block: Block) -> np.ndarray:
    """For each row a number that, but by chance, another shares only if it shows the same."""
    candidates = block.candidates
    places = np.arange(len(candidates.codes)) - np.repeat(
        candidates.offsets[:-1], candidates.lengths
    )
    mixed = _mixed(candidates.codes.astype(np.uint64) << np.uint64(32) | places.astype(np.uint64))
    return np.asarray(np.add.reduceat(mixed, candidates.offsets[:-1]))


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64: every bit of the result depends on every bit of the value."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(values ^ (values >> np.uint64(31)))
