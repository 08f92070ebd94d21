"""The lists that every system ranks, and the scores that a system gave them, checked."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.ranker.lists import read_lists
from newsrec.ranker.reference import lists_digest
from newsrec.ranker.tables import ITEMS_SCHEMA, LISTS_SCHEMA, PREDICTIONS_SCHEMA

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


_PURCHASED = pa.schema([("item", pa.string())])
_CATEGORISED = pa.schema([ITEMS_SCHEMA.field("item"), ITEMS_SCHEMA.field("category")])


@dataclass(frozen=True)
class Lists:
    """The lists of one split, in their order.

    Attributes:
        ids: of the lists, shape (lists,).
        users: whose each is, shape (lists,).
        num_history: how many products a user bought before, as shown, shape (lists,).
        candidates: ids of products, shape (lists, candidates).
        target: the column of the one that was bought next, shape (lists,).
        digest: of the lists, as their reference names it.
    """

    ids: Texts
    users: Texts
    num_history: Ints
    candidates: Texts
    target: Ints
    digest: str

    @property
    def targets(self) -> Texts:
        """The product that was bought next, shape (lists,)."""
        found: Texts = self.candidates[np.arange(len(self.ids)), self.target]
        return found


def load_lists(processed: Path, split: str = "test") -> Lists:
    """The lists of a split with the digest of their reference.

    Args:
        processed: folder of SPLIT.parquet and candidates_SPLIT.json.

    Raises:
        UserError: a file is missing or damaged, there is no list, lists differ in length, a target
            is not among the candidates, or the reference is of other lists.
    """
    source, reference = processed / f"{split}.parquet", processed / f"candidates_{split}.json"
    table = _read(source, LISTS_SCHEMA)
    if not len(table):
        raise UserError(f"{source}: no lists; lower prepare.k_core or take more months")
    ids, users, targets = (
        table[name].to_numpy().astype(object) for name in ("id", "user", "target")
    )
    lengths = pc.list_value_length(table["candidates"]).to_numpy()
    if (differ := lengths != lengths[0]).any():
        place = int(differ.argmax())
        raise UserError(
            f"{source}: list {ids[place]} has {lengths[place]} candidates, the first {lengths[0]}; "
            "expected as many in each; make the lists again: dvc repro prepare"
        )
    candidates = pc.list_flatten(table["candidates"]).to_numpy().astype(object)
    candidates = candidates.reshape(len(ids), lengths[0])
    is_target = candidates == targets[:, None]
    if (wrong := is_target.sum(axis=1) != 1).any():
        place = int(wrong.argmax())
        raise UserError(
            f"{source}: list {ids[place]} has its target {int(is_target[place].sum())} times among "
            "its candidates; expected once; make the lists again: dvc repro prepare"
        )
    digest = str(read_json(reference).get("digest"))
    if (made := lists_digest(read_lists(source))) != digest:
        raise UserError(
            f"{reference}: of other lists than {source} (digest {digest}, expected {made}); make "
            "both again: dvc repro prepare"
        )
    return Lists(
        ids=ids,
        users=users,
        num_history=pc.list_value_length(table["history"]).to_numpy().astype(np.int64),
        candidates=candidates,
        target=is_target.argmax(axis=1),
        digest=digest,
    )


def load_scores(source: Path, lists: Lists) -> Floats:
    """What a system gave each candidate, shape (lists, candidates), in the lists' order.

    The rows of the file may have any order.

    Raises:
        UserError: the file is missing or damaged, is of other lists, a candidate has no score or
            two, or one that is no finite number.
    """
    table = _read(source, PREDICTIONS_SCHEMA)
    said = (table.schema.metadata or {}).get(b"lists", lists.digest.encode()).decode()
    if said != lists.digest:
        raise UserError(
            f"{source}: scores of other lists (digest {said}, expected {lists.digest}); rank these "
            "lists again"
        )
    frame = table.select(PREDICTIONS_SCHEMA.names).to_pandas()
    expected = pd.MultiIndex.from_arrays(
        [np.repeat(lists.ids, lists.candidates.shape[1]), lists.candidates.ravel()]
    )
    found = pd.MultiIndex.from_frame(frame[["id", "item"]])
    scores = frame["score"].to_numpy(dtype=np.float64)
    if not found.equals(expected):
        if doubled := found.duplicated().sum():
            raise UserError(
                f"{source}: {_pair(found, found.duplicated())} has two scores, and so have "
                f"{doubled - 1:,} more; expected one for each candidate; rank these lists again"
            )
        place = found.get_indexer(expected)
        if (missing := place < 0).any():
            raise UserError(
                f"{source}: {_pair(expected, missing)} has no score, and neither have "
                f"{missing.sum() - 1:,} more; expected one for each candidate of the lists of "
                f"digest {lists.digest}; rank these lists again"
            )
        if len(found) > len(expected):
            unknown = expected.get_indexer(found) < 0
            raise UserError(
                f"{source}: {_pair(found, unknown)} is not a candidate of the lists of digest "
                f"{lists.digest}; rank these lists again"
            )
        scores = scores[place]
    if not np.isfinite(scores).all():
        raise UserError(
            f"{source}: {_pair(expected, ~np.isfinite(scores))} has no finite score; score in "
            "float32 or bfloat16, or train again with a lower learning rate"
        )
    shaped: Floats = scores.reshape(lists.candidates.shape)
    return shaped


def load_probes(
    predictions: Path, names: Iterable[str], probes: Iterable[str], lists: Lists
) -> dict[str, dict[str, Floats]]:
    """By probe and system the scores of NAME_PROBE.parquet, of those that there are.

    A probe may be of some of the lists: those of others are NaN.

    Raises:
        UserError: see `load_scores`.
    """
    names = list(names)
    return {
        probe: {
            name: _load_some(path, lists)
            for name in names
            if (path := predictions / f"{name}_{probe}.parquet").exists()
        }
        for probe in probes
    }


def _load_some(source: Path, lists: Lists) -> Floats:
    """The scores of the lists that the file names, and NaN for the others."""
    named = pc.unique(_read(source, PREDICTIONS_SCHEMA)["id"]).to_numpy(zero_copy_only=False)
    found = np.full(lists.candidates.shape, np.nan)
    chosen = np.isin(lists.ids, named)
    found[chosen] = load_scores(source, chosen_lists(lists, chosen))
    return found


def chosen_lists(lists: Lists, chosen: npt.NDArray[np.bool_]) -> Lists:
    """Some of the lists, in their order; `chosen` has shape (lists,)."""
    parts = {
        name: getattr(lists, name)[chosen]
        for name in ("ids", "users", "num_history", "candidates", "target")
    }
    return Lists(**parts, digest=lists.digest)


def load_counts(purchases: Path) -> dict[str, int]:
    """How often each product was bought in the period of training; one never bought has no entry.

    Raises:
        UserError: the file is missing or damaged.
    """
    counted = pc.value_counts(_read(purchases, _PURCHASED)["item"])
    return {str(one["values"]): int(one["counts"]) for one in counted.to_pylist()}


def load_categories(items: Path) -> dict[str, str]:
    """The category of each product.

    Raises:
        UserError: the file is missing or damaged.
    """
    table = _read(items, _CATEGORISED)
    return dict(zip(table["item"].to_pylist(), table["category"].to_pylist(), strict=True))


def _pair(index: pd.MultiIndex, which: npt.NDArray[np.bool_]) -> str:
    """The first of these rows in words."""
    of_list, item = index[int(np.argmax(which))]
    return f"list {of_list}, candidate {item}"


def _read(source: Path, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.read_table(source)
    except FileNotFoundError:
        raise UserError(
            f"{source}: no such file; run the stage that makes it (dvc repro)"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{source}: not a complete Parquet file ({error}); make it again") from None
    for field in schema:
        place = table.schema.get_field_index(field.name)
        if place < 0 or table.schema.field(place).type != field.type:
            kind = table.schema.field(place).type if place >= 0 else "not there"
            raise UserError(
                f"{source}: column {field.name} is {kind}; expected {field.type}; make it again"
            )
        if table[field.name].null_count:
            raise UserError(
                f"{source}: column {field.name} has rows without a value; make it again"
            )
    return table
