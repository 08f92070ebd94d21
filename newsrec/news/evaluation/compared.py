"""The tuned model against every other predictor, and what a run of this size could have seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from newsrec.metrics.significance import detectable
from newsrec.news.evaluation.predictor import Measured, compare


def compare_tuned(
    measured: Mapping[str, Measured], rows: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """`tuned_vs_<predictor>` for every other predictor, see `compare`.

    Each also has the smallest difference that these rows show with 80 % power: `detectable_auc`,
    or `detectable_accuracy` where no impression has an AUC. It is left out where fewer than two
    users or equal gains leave nothing to plan with.

    Args:
        measured: of each predictor, tuned among them.
        rows: the evaluation set that all were measured on: impression_id and user_id.
    """
    users = rows["user_id"].to_numpy()
    users_of_impressions = users[~rows["impression_id"].duplicated().to_numpy()]
    tuned = measured["tuned"]
    result: dict[str, dict[str, Any]] = {}
    for name, other in measured.items():
        if name == "tuned":
            continue
        found: dict[str, Any] = dict(compare(tuned, other))
        if "auc" in found:
            found |= _detectable("auc", tuned.aucs - other.aucs, users_of_impressions)
        elif tuned.correct is not None and other.correct is not None:
            gains = tuned.correct.astype(float) - other.correct
            found |= _detectable("accuracy", gains, users)
        result[f"tuned_vs_{name}"] = found
    return result


def _detectable(name: str, gains: np.ndarray, users: np.ndarray) -> dict[str, float]:
    known = ~np.isnan(gains)
    if len(set(users[known])) < 2 or np.ptp(gains[known]) == 0:
        return {}
    return {f"detectable_{name}": detectable(gains, users)}
