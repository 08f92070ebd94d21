"""The leak gate: no text of one split may have a near copy in another."""

from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from newsrec.errors import UserError
from newsrec.texts.near_copies import cluster_near_copies

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
    rows = pd.concat(splits, names=["split", None]).reset_index("split")
    anew = rows.assign(cluster=cluster_near_copies(list(rows["normalised"]), threshold, seed))
    found = {}
    for one, other in combinations(splits, 2):
        if some := _shared(rows, one, other):
            raise UserError(
                f"{len(some):,} clusters of near copies are in both {one} and {other}, such as "
                f"{', '.join(map(str, sorted(some)[:_SHOWN]))}; expected none: what was trained on "
                "would be measured; extract again (dvc repro extract), which draws all splits "
                "together"
            )
        copies = anew["cluster"].isin(_shared(anew, one, other)) & (anew["split"] == other)
        found[f"{one}_{other}"] = {"num_clusters": 0, "num_near_copies": int(copies.sum())}
    return found


def _shared(rows: pd.DataFrame, one: str, other: str) -> set[int]:
    """The clusters with rows in both splits."""
    of = rows.groupby("split")["cluster"].agg(set)
    shared: set[int] = of[one] & of[other]
    return shared
