"""Lists and purchases as arrays, in which an item is its row in items.parquet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from newsrec.errors import UserError
from newsrec.files import atomic_file
from newsrec.ranker.tables import PREDICTIONS_SCHEMA


@dataclass(frozen=True)
class Lists:
    """Lists of K candidates each.

    Attributes:
        ids: of each, shape (lists,).
        candidate_ids: shape (lists * K,), as they are named.
        timestamp: in ms, shape (lists,).
        candidates: shape (lists, K).
        histories: of all lists, oldest first, one behind the other.
        ends: where each one's history ends in `histories`, shape (lists,).
    """

    ids: pa.Array
    candidate_ids: pa.Array
    timestamp: np.ndarray
    candidates: np.ndarray
    histories: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.timestamp)

    @property
    def starts(self) -> np.ndarray:
        """Where each one's history begins in `histories`, shape (lists,)."""
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64)


@dataclass(frozen=True)
class Purchases:
    """Purchases in the order of time; users are numbered from 0.

    Attributes:
        user: shape (purchases,).
        item: shape (purchases,).
        timestamp: in ms, shape (purchases,).
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray


def read_lists(path: Path, items: Sequence[str]) -> Lists:
    """The lists of a file of `LISTS_SCHEMA`; `items` are the ids in their order."""
    table = pq.read_table(path).combine_chunks()
    candidates, history = table["candidates"].combine_chunks(), table["history"].combine_chunks()
    num = pc.unique(pc.list_value_length(candidates)).to_pylist()
    if len(num) != 1:
        raise UserError(
            f"{path}: lists of {num} candidates; expected as many in each; make it again "
            "(dvc repro prepare)"
        )
    ids = candidates.flatten()
    return Lists(
        ids=table["id"],
        candidate_ids=ids,
        timestamp=table["timestamp"].to_numpy(),
        candidates=_places(ids, items, path).reshape(-1, num[0]),
        histories=_places(history.flatten().field("item"), items, path),
        ends=np.cumsum(pc.list_value_length(history).to_numpy()),
    )


def read_purchases(path: Path, items: Sequence[str]) -> Purchases:
    """The purchases of a file of `PURCHASES_SCHEMA`; `items` are the ids in their order."""
    table = pq.read_table(path, columns=["user", "item", "timestamp"]).combine_chunks()
    users = table["user"].combine_chunks().dictionary_encode()
    return Purchases(
        user=users.indices.to_numpy(),
        item=_places(table["item"].combine_chunks(), items, path),
        timestamp=table["timestamp"].to_numpy(),
    )


def _places(ids: pa.Array, items: Sequence[str], path: Path) -> np.ndarray:
    found = pc.index_in(ids, pa.array(items, pa.string()))
    if found.null_count:
        raise UserError(
            f"{path}: an item that items.parquet does not have; make both again (dvc repro prepare)"
        )
    places: np.ndarray = found.to_numpy().astype(np.int64)
    return places


def write_predictions(lists: Lists, scores: np.ndarray, target: Path) -> None:
    """Write a score for each candidate of each list.

    Args:
        lists: that were ranked.
        scores: shape (lists, K), finite; higher is better.
        target: a file of `PREDICTIONS_SCHEMA`.
    """
    num = lists.candidates.shape[1]
    table = pa.table(
        [
            lists.ids.take(pa.array(np.repeat(np.arange(len(lists)), num))),
            lists.candidate_ids,
            pa.array(scores.ravel().astype(np.float64)),
        ],
        schema=PREDICTIONS_SCHEMA,
    )
    with atomic_file(target) as draft:
        pq.write_table(table, draft, compression="zstd")
