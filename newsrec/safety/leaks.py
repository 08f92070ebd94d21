"""The leak gate: no text of one split may have a near copy in another."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pandas as pd

from newsrec.errors import UserError
from newsrec.files import read_table
from newsrec.safety.tables import SPLITS, TEXT
from newsrec.texts.near_copies import cluster_near_copies, similarity

_SHOWN = 3


def leak_gate(
    splits: Mapping[str, pd.DataFrame], threshold: float, seed: int
) -> dict[str, dict[str, int]]:
    """Count near copies across splits, found anew, and refuse clusters that lie in two.

    Args:
        splits: by name, with id, cluster and normalised.
        threshold: see `newsrec.texts.near_copies.cluster_near_copies`.
        seed: of the hashes; another one than the clusters were found with finds what they missed.

    Returns:
        For each pair of splits, as `train_test`: num_clusters, which is 0, and num_near_copies, the
        rows of the second that have a near copy in the first, or a chain of them.

    Raises:
        UserError: a cluster of near copies lies in two splits; figures of such a test are too good.
    """
    anew = _clustered_anew(splits, threshold, seed)
    return {
        f"{one}_{other}": {"num_clusters": 0, "num_near_copies": len(_copies(anew, one, other))}
        for one, other in combinations(splits, 2)
    }


def refuse_leaks(processed: Path, raw: Path, threshold: float, seed: int) -> None:
    """Refuse near copies across splits, also those that the clusters do not know of.

    Args:
        processed: folder of the prepared rows.
        raw: folder of the rows as they were extracted, of which the error names two.
        threshold: see `leak_gate`; seed too.

    Raises:
        UserError: there is one, or see `leak_gate`.
    """
    columns = ["id", "cluster", TEXT]
    splits = {name: read_table(processed / f"{name}.parquet", columns) for name in SPLITS}
    anew = _clustered_anew(splits, threshold, seed)
    pairs = list(combinations(SPLITS, 2))
    found = {pair: copies for pair in pairs if len(copies := _copies(anew, *pair))}
    if not found:
        return
    (one, other), copies = next(iter(found.items()))
    copy = copies.iloc[0]
    near = anew[(anew["split"] == one) & (anew["cluster"] == copy["cluster"])]
    nearest = max(near.itertuples(), key=lambda row: similarity(row.normalised, copy["normalised"]))
    listed = ", ".join(
        f"{len(rows):,} of {other} with one in {one}" for (one, other), rows in found.items()
    )
    raise UserError(
        f"rows that have a near copy in another split: {listed}, such as row "
        f"{_row(raw, other, copy['id'])} of {raw / other}.parquet and row "
        f"{_row(raw, one, nearest.id)} of {raw / one}.parquet; expected none: what was trained on "
        "would be measured; set another extract.seed, or take one of each out of the source, and "
        "run: dvc repro"
    )


def _row(raw: Path, split: str, id_: str) -> int:
    """The number of a row in its file, counted from 1; some are left out behind it."""
    return 1 + list(read_table(raw / f"{split}.parquet", ["id"])["id"]).index(id_)


def _clustered_anew(
    splits: Mapping[str, pd.DataFrame], threshold: float, seed: int
) -> pd.DataFrame:
    """All rows with their split and the cluster that a search anew gives them."""
    rows = pd.concat(splits, names=["split", None]).reset_index("split")
    for one, other in combinations(splits, 2):
        if some := _shared(rows, one, other):
            raise UserError(
                f"{len(some):,} clusters of near copies are in both {one} and {other}, such as "
                f"{', '.join(map(str, sorted(some)[:_SHOWN]))}; expected none: what was trained on "
                "would be measured; extract again (dvc repro extract), which draws all splits "
                "together"
            )
    return rows.assign(cluster=cluster_near_copies(list(rows["normalised"]), threshold, seed))


def _copies(anew: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """The rows of `other` that have a near copy in `one`."""
    shared = _shared(anew, one, other)
    return anew[anew["cluster"].isin(shared) & (anew["split"] == other)]


def _shared(rows: pd.DataFrame, one: str, other: str) -> set[int]:
    """The clusters with rows in both splits."""
    of = rows.groupby("split")["cluster"].agg(set)
    shared: set[int] = of[one] & of[other]
    return shared
