"""The tuned model against every other predictor, and what a run of this size could have seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from newsrec.metrics.ranking import group_auc
from newsrec.metrics.significance import detectable
from newsrec.news.evaluation.predictor import Measured, compare


def compare_tuned(
    measured: Mapping[str, Measured], tables: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, Any]]:
    """`tuned_vs_<predictor>` for every other predictor, see `compare`.

    Each also has the smallest difference that these rows show four times in five: `detectable_auc`,
    or `detectable_accuracy` where no impression has an AUC. It is left out where fewer than two
    users or equal gains leave nothing to plan with.

    Args:
        measured: of each predictor, base and tuned among them.
        tables: predictions of each, over the same rows.
    """
    aucs = {
        name: group_auc(table["impression_id"], table["label"], table["score"])
        for name, table in tables.items()
    }
    rows = tables["tuned"]
    users = rows.drop_duplicates("impression_id")["user_id"].to_numpy()
    result: dict[str, dict[str, Any]] = {}
    for name, other in measured.items():
        if name == "tuned":
            continue
        found: dict[str, Any] = dict(compare(measured["tuned"], other))
        if "auc" in found:
            gains = (aucs["tuned"] - aucs[name]).to_numpy()
            found |= _detectable("auc", gains, users)
        elif "accuracy" in found:
            mine, its = measured["tuned"].correct, other.correct
            assert mine is not None
            assert its is not None
            gains = mine.astype(float) - its
            found |= _detectable("accuracy", gains, rows["user_id"].to_numpy())
        result[f"tuned_vs_{name}"] = found
    return result


def _detectable(name: str, gains: np.ndarray, users: np.ndarray) -> dict[str, float]:
    known = ~np.isnan(gains)
    if len(set(users[known])) < 2 or np.ptp(gains[known]) == 0:
        return {}
    return {f"detectable_{name}": detectable(gains, users)}
