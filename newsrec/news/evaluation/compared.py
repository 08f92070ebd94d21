"""The tuned model against every other predictor, and what a run of this size could have seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from newsrec.metrics.ranking import rank_metrics
from newsrec.metrics.significance import detectable
from newsrec.news.evaluation.predictor import Measured, compare


def compare_tuned(
    measured: Mapping[str, Measured], tables: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, Any]]:
    """`tuned_vs_<predictor>` for every other predictor, see `compare`.

    `tuned_vs_base` also has `detectable_auc`: the smallest difference in AUC that these impressions
    show four times in five; left out where fewer than two users or equal gains leave nothing to
    plan with.

    Args:
        measured: of each predictor, base and tuned among them.
        tables: predictions of each, over the same rows.
    """
    result: dict[str, dict[str, Any]] = {
        f"tuned_vs_{name}": dict(compare(measured["tuned"], other))
        for name, other in measured.items()
        if name != "tuned"
    }
    base, tuned = (
        rank_metrics(table["impression_id"], table["label"], table["score"])["auc"]
        for table in (tables["base"], tables["tuned"])
    )
    users = tables["base"].drop_duplicates("impression_id")["user_id"].to_numpy()
    gains = (tuned - base).to_numpy()
    known = ~np.isnan(gains)
    if len(set(users[known])) > 1 and len(set(gains[known])) > 1:
        result["tuned_vs_base"]["detectable_auc"] = detectable(gains, users)
    return result
