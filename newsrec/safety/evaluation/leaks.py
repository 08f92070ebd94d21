"""The leak gate: no text of one split may have a near copy in another."""

from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from newsrec.errors import UserError

_SHOWN = 3


def leak_gate(splits: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, int]]:
    """Count what two splits share, and refuse shared clusters.

    Args:
        splits: by name, with id, cluster and normalised.

    Returns:
        For each pair of splits, as `train_test`: num_clusters, which is 0, and num_texts, the
        normalised texts that both hold to the letter.

    Raises:
        UserError: a cluster of near copies lies in two splits; figures of such a test are too good.
    """
    found = {}
    for one, other in combinations(splits, 2):
        shared = set(splits[one]["cluster"]) & set(splits[other]["cluster"])
        if shared:
            some = sorted(shared)[:_SHOWN]
            raise UserError(
                f"{len(shared):,} clusters of near copies are in both {one} and {other}, such as "
                f"{', '.join(map(str, some))}; expected none: what was trained on would be "
                "measured; extract again (dvc repro extract), which draws all splits together"
            )
        texts = set(splits[one]["normalised"]) & set(splits[other]["normalised"])
        found[f"{one}_{other}"] = {"num_clusters": 0, "num_texts": len(texts)}
    return found
