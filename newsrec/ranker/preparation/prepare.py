"""From the files of a category to items, purchases and lists to rank."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.ranker.preparation.items import ItemRules, choose_items
from newsrec.ranker.preparation.lists import Bought, Targets, choose_targets, make_lists
from newsrec.ranker.preparation.ratings import Ratings, choose_ratings, load_ratings
from newsrec.ranker.reference import write_reference
from newsrec.ranker.reviews.files import read_metadata, read_ratings
from newsrec.ranker.tables import ITEMS_SCHEMA, LISTS_SCHEMA, PURCHASES_SCHEMA, SPLITS

_BATCH_ROWS = 5_000


@dataclass(frozen=True)
class Period:
    """Which ratings are taken, see `choose_ratings`."""

    start: str | None
    end: str | None
    k_core: int
    min_items: int


@dataclass(frozen=True)
class ListRules:
    """Which lists are made of them, see `choose_targets` and `make_lists`."""

    window: int
    num_candidates: int
    split: str
    max_lists: Mapping[str, int | None]
    seed: int


def prepare(
    ratings_file: Path,
    metadata_file: Path,
    target: Path,
    *,
    item_rules: ItemRules,
    period: Period,
    list_rules: ListRules,
) -> dict[str, Any]:
    """Apply all rules, and write what is left.

    Args:
        ratings_file: see `newsrec.ranker.reviews.files`.
        metadata_file: the same.
        target: an existing folder; gets items.parquet, purchases.parquet, purchases_later.parquet,
            {train,val,test}.parquet and candidates_{val,test}.json.
        item_rules: by which items are kept.
        period: by which ratings are.
        list_rules: by which lists are made of them.

    Returns:
        What each rule dropped and what is left; `digests` of the lists of val and test; `cuts`, in
        ms; and `start`, the first month, which may be earlier than that of `period`.

    Raises:
        UserError: a fault in a file, nothing left, a split without a list, or a user who has bought
            so much that there are too few candidates.
    """
    all_ratings = load_ratings(
        tqdm(read_ratings(ratings_file), desc="reading ratings", unit=" rows", mininterval=5)
    )
    rows = tqdm(read_metadata(metadata_file), desc="reading items", unit=" rows", mininterval=5)
    kept, dropped, item_counts = choose_items(rows, dict.fromkeys(all_ratings.items), item_rules)
    chosen = choose_ratings(
        all_ratings,
        kept,
        dropped,
        start=period.start,
        end=period.end,
        k_core=period.k_core,
        min_items=period.min_items,
    )
    ratings = chosen.ratings
    used = np.unique(ratings.item)
    catalogue = [ratings.items[item] for item in used]
    _write(target / "items.parquet", ITEMS_SCHEMA, (kept[item] for item in catalogue), "items")
    item_counts |= {
        "num_not_left": len(kept) - len(catalogue),  # outside the period, or below the K-core
        "num_kept": len(catalogue),
        "num_kept_without_price": sum(kept[item]["price"] is None for item in catalogue),
        "num_kept_without_description": sum(not kept[item]["description"] for item in catalogue),
    }
    del kept

    targets = choose_targets(ratings, list_rules.split, list_rules.max_lists, list_rules.seed)
    places = np.full(len(ratings.items), -1, np.int64)
    places[used] = np.arange(len(used))
    bought = Bought(all_ratings, places)
    if len(catalogue) - bought.most() < list_rules.num_candidates - 1:
        raise UserError(
            f"{len(catalogue):,} items are left, of which a user has bought {bought.most():,}; "
            f"expected {list_rules.num_candidates - 1:,} others for a list; lower "
            "prepare.num_candidates or prepare.k_core, or give more ratings"
        )
    for split in SPLITS:
        lists = make_lists(
            ratings,
            targets,
            split,
            bought,
            catalogue,
            places,
            window=list_rules.window,
            num_candidates=list_rules.num_candidates,
            seed=list_rules.seed,
        )
        num = len(targets.rows[split])
        _write(target / f"{split}.parquet", LISTS_SCHEMA, lists, f"lists of {split}", num)
    _write_purchases(ratings, targets.cuts[0], target)
    return {
        "items": item_counts,
        "ratings": chosen.counts,
        "num_users": len(np.unique(ratings.user)),
        "start": chosen.start,
        "num_start_moves": chosen.num_moves,
        "num_k_core_rounds": chosen.num_rounds,
        "lists": targets.counts | _list_counts(ratings, targets),
        "cuts": list(targets.cuts),
        "digests": {
            split: write_reference(target / f"{split}.parquet", target / f"candidates_{split}.json")
            for split in ("val", "test")
        },
    }


def _list_counts(ratings: Ratings, targets: Targets) -> dict[str, int]:
    users = {split: set(ratings.user[rows].tolist()) for split, rows in targets.rows.items()}
    of_split = {f"num_{split}": len(rows) for split, rows in targets.rows.items()}
    of_users = {f"num_users_{split}": len(found) for split, found in users.items()}
    shared = {
        f"num_users_{one}_and_{other}": len(users[one] & users[other])
        for one, other in combinations(SPLITS, 2)
    }
    num_unseen = _num_unseen_targets(ratings, targets)
    return of_split | of_users | shared | {"num_test_targets_not_in_train": num_unseen}


def _num_unseen_targets(ratings: Ratings, targets: Targets) -> int:
    seen = np.unique(ratings.item[ratings.timestamp < targets.cuts[0]])
    return int((~np.isin(ratings.item[targets.rows["test"]], seen)).sum())


def _write_purchases(ratings: Ratings, cut: int, target: Path) -> None:
    order = np.lexsort((ratings.item, ratings.user, ratings.timestamp))
    early = ratings.timestamp[order] < cut
    for name, rows in (("purchases", order[early]), ("purchases_later", order[~early])):
        part = ratings.take(rows)
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(ids)).cast(pa.string())
            for codes, ids in ((part.user, part.users), (part.item, part.items))
        ]
        columns += [pa.array(part.rating), pa.array(part.timestamp)]
        table = pa.table(columns, schema=PURCHASES_SCHEMA)
        pq.write_table(table, target / f"{name}.parquet", compression="zstd")


def _write(
    path: Path,
    schema: pa.Schema,
    rows: Iterable[Mapping[str, Any]],
    what: str,
    num: int | None = None,
) -> None:
    """Write rows, some in memory at a time."""
    shown = iter(tqdm(rows, desc=f"writing {what}", total=num, unit=" rows", mininterval=5))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(shown, _BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))
