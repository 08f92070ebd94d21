"""Impressions on disk, to be walked user by user in order of time."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from newsrec.errors import UserError
from newsrec.news.mind.tables import Impression

_SCHEMA = """
CREATE TABLE impressions (
    split TEXT, line INTEGER, impression_id TEXT, user_id TEXT, time TEXT,
    history TEXT, candidates TEXT, labels TEXT,
    targets TEXT, num_targets INTEGER, draw INTEGER, content INTEGER, purpose TEXT DEFAULT ''
);
CREATE UNIQUE INDEX by_id ON impressions (split, impression_id);
"""


@dataclass(frozen=True, slots=True)
class StoredImpression:
    """An impression, what it was selected for ("" for nothing) and its candidates to predict."""

    split: str
    impression: Impression
    purpose: str
    targets: tuple[int, ...]


def draw_of(seed: int, split: str, impression_id: str) -> int:
    """A number that is uniform over impressions and the same for one of them on every run."""
    digest = hashlib.blake2b(f"{seed}:{split}:{impression_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # SQLite's integers are signed


def _content_of(impression: Impression) -> int:
    """A number that two impressions share if they show one user the same at the same time."""
    shown = (
        f"{impression.user_id}\t{impression.time.isoformat()}\t{' '.join(impression.candidates)}"
    )
    return int.from_bytes(hashlib.blake2b(shown.encode(), digest_size=8).digest(), "big") >> 1


class ImpressionStore:
    """A temporary SQLite file of impressions; memory stays flat however many there are."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, split: str, impression: Impression, targets: list[int], draw: int) -> None:
        """Store one impression with the places of its candidates to predict.

        Raises:
            UserError: the split has an impression of that id already.
        """
        labels = "" if impression.labels is None else "".join(map(str, impression.labels))
        try:
            self._connection.execute(
                "INSERT INTO impressions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
                (
                    split,
                    impression.line,
                    impression.impression_id,
                    impression.user_id,
                    impression.time.isoformat(),
                    " ".join(impression.history),
                    " ".join(impression.candidates),
                    labels,
                    json.dumps(targets),
                    len(targets),
                    draw,
                    _content_of(impression),
                ),
            )
        except sqlite3.IntegrityError:
            raise UserError(
                f"{split}/behaviors.tsv, line {impression.line}: impression id "
                f"{impression.impression_id!r} is there twice; remove one of the two rows"
            ) from None

    def select(
        self, split: str, purpose: str, max_targets: int | None, max_impressions: int | None
    ) -> int:
        """Select impressions in the order of their draw, as many as the limits allow.

        One that is selected for another purpose is passed over.

        Returns:
            The number of impressions selected; those without a target never are.
        """
        chosen: list[tuple[str, int]] = []
        num_chosen = num_targets = 0
        rows = self._connection.execute(
            "SELECT rowid, num_targets FROM impressions WHERE split = ? AND num_targets > 0 "
            "AND purpose = '' ORDER BY draw, rowid",
            (split,),
        )
        update = "UPDATE impressions SET purpose = ? WHERE rowid = ?"
        for rowid, targets in rows:
            num_targets += targets
            if max_targets is not None and num_targets > max_targets:
                break
            if max_impressions is not None and num_chosen >= max_impressions:
                break
            num_chosen += 1
            chosen.append((purpose, rowid))
            if len(chosen) == 10_000:
                self._connection.executemany(update, chosen)
                chosen.clear()
        self._connection.executemany(update, chosen)
        return num_chosen

    def walk(self) -> Iterator[list[StoredImpression]]:
        """Yield the impressions of one user at one moment; users in order, moments too."""
        self._connection.execute("CREATE INDEX by_user ON impressions (user_id, time, split, line)")
        rows = self._connection.execute(
            "SELECT split, line, impression_id, user_id, time, history, candidates, labels, "
            "purpose, CASE purpose WHEN '' THEN '[]' ELSE targets END "
            "FROM impressions ORDER BY user_id, time, split, line"
        )
        for _, group in groupby(rows, key=lambda row: (row[3], row[4])):
            yield [_restore(row) for row in group]

    def users(self, split: str) -> set[str]:
        """The users of one split."""
        query = "SELECT DISTINCT user_id FROM impressions WHERE split = ?"
        return {user for (user,) in self._connection.execute(query, (split,))}

    def num_repeated(self, split: str) -> int:
        """The impressions of a split that show what one before them does, whatever their ids."""
        query = "SELECT COUNT(*) - COUNT(DISTINCT content) FROM impressions WHERE split = ?"
        (count,) = self._connection.execute(query, (split,)).fetchone()
        return int(count)

    def num_shared(self, first: str, second: str) -> int:
        """The impressions that show the same in two splits, whatever their ids."""
        each = "SELECT content FROM impressions WHERE split = ?"
        query = f"SELECT COUNT(*) FROM ({each} INTERSECT {each})"
        (count,) = self._connection.execute(query, (first, second)).fetchone()
        return int(count)

    def num_users(self, *splits: str) -> int:
        """The number of users that are in every one of `splits`."""
        each = "SELECT user_id FROM impressions WHERE split = ?"
        query = f"SELECT COUNT(*) FROM ({' INTERSECT '.join([each] * len(splits))})"
        if len(splits) == 1:
            query = query.replace("SELECT user_id", "SELECT DISTINCT user_id")
        (count,) = self._connection.execute(query, splits).fetchone()
        return int(count)


@contextmanager
def impression_store(folder: Path) -> Iterator[ImpressionStore]:
    """Open an empty store in a temporary file of `folder`; it is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".impressions.sqlite"
    path.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            # A scratch file needs no protection against a crash.
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN")
            yield ImpressionStore(connection)
    finally:
        path.unlink(missing_ok=True)


def _restore(row: tuple[Any, ...]) -> StoredImpression:
    split, line, impression_id, user_id, time, history, candidates, labels, purpose, targets = row
    impression = Impression(
        line=line,
        impression_id=impression_id,
        user_id=user_id,
        time=datetime.fromisoformat(time),
        history=tuple(history.split()),
        candidates=tuple(candidates.split()),
        labels=tuple(map(int, labels)) if labels else None,
    )
    return StoredImpression(split, impression, purpose, tuple(json.loads(targets)))
