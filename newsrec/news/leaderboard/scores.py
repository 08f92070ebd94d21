"""Predicted scores on disk, to be taken impression by impression in any order."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from newsrec.errors import UserError
from newsrec.news.mind.tables import Impression
from newsrec.news.predictions import SCHEMA, checked

_COLUMNS = ["impression_id", "news_id", "score"]
_SCHEMA = pa.schema([SCHEMA.field(name) for name in _COLUMNS])
_BATCH_ROWS = 100_000


class ScoreStore:
    """A temporary SQLite file of scores: filled in any order, read impression by impression."""

    def __init__(self, connection: sqlite3.Connection, predictions: Path) -> None:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        connection.execute("CREATE TABLE runs (impression_id TEXT, news_ids TEXT, scores BLOB)")
        connection.execute("BEGIN")
        for batch in _batches(predictions):
            # Rows of an impression are adjacent, but for those at a batch's edge.
            runs = pc.run_end_encode(batch["impression_id"])
            news_ids = batch["news_id"].to_pylist()
            scores = batch["score"].to_numpy(zero_copy_only=False)
            starts = [0, *runs.run_ends.to_pylist()]
            connection.executemany(
                "INSERT INTO runs VALUES (?, ?, ?)",
                (
                    (impression_id, " ".join(news_ids[start:end]), scores[start:end].tobytes())
                    for impression_id, (start, end) in zip(
                        runs.values.to_pylist(), pairwise(starts), strict=True
                    )
                ),
            )
        connection.execute("CREATE INDEX by_impression ON runs (impression_id)")
        (num_runs,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
        self._connection = connection
        self._taken = bytearray(num_runs)

    def take(self, row: Impression, where: str) -> tuple[list[str], list[float]]:
        """The news ids and scores of one impression, both empty where it has no prediction."""
        news_ids: list[str] = []
        scores: list[float] = []
        for rowid, names, values in self._connection.execute(
            "SELECT rowid, news_ids, scores FROM runs WHERE impression_id = ? ORDER BY rowid",
            (row.impression_id,),
        ):
            if self._taken[rowid - 1]:
                raise UserError(
                    f"{where}: impression id {row.impression_id!r} occurs twice; expected "
                    "each once; remove one of the two rows"
                )
            self._taken[rowid - 1] = True
            news_ids += names.split()
            scores += np.frombuffer(values).tolist()
        return news_ids, scores

    def first_not_taken(self) -> str | None:
        """The id of the first impression that nobody asked for."""
        place = self._taken.find(0)
        if place < 0:
            return None
        query = "SELECT impression_id FROM runs WHERE rowid = ?"
        (impression_id,) = self._connection.execute(query, (place + 1,)).fetchone()
        return str(impression_id)


@contextmanager
def score_store(predictions: Path, folder: Path) -> Iterator[ScoreStore]:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix=".submission.", dir=folder) as scratch,
        closing(sqlite3.connect(Path(scratch) / "scores.sqlite", isolation_level=None)) as opened,
    ):
        yield ScoreStore(opened, predictions)


def _batches(predictions: Path) -> Iterator[pa.RecordBatch]:
    """The columns that are needed: text for ids, and a finite score in every row."""
    try:
        file = pq.ParquetFile(predictions)
    except FileNotFoundError:
        raise UserError(f"{predictions}: no such file; expected a predictions table") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{predictions}: not a Parquet file ({error}); make it again") from None
    missing = [name for name in _COLUMNS if name not in file.schema_arrow.names]
    if missing:
        raise UserError(f"{predictions}: no column {', '.join(missing)}; expected {_COLUMNS}")
    start = 0
    for batch in file.iter_batches(_BATCH_ROWS, columns=_COLUMNS):
        frame = batch.replace_schema_metadata().to_pandas()
        frame.index += start
        start += len(frame)
        frame = checked(frame, predictions, "row {} (the first is 0)", _COLUMNS)
        yield pa.RecordBatch.from_pandas(frame[_COLUMNS], schema=_SCHEMA, preserve_index=False)
