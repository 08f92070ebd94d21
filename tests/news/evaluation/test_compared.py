"""The tuned model is compared with every predictor, with what the run could have detected."""

import numpy as np
import pandas as pd
import pytest

from newsrec.metrics.ranking import group_auc
from newsrec.metrics.significance import ClusterBootstrap, detectable
from newsrec.news.evaluation.compared import compare_tuned
from newsrec.news.evaluation.predictor import Measured, measure


def evaluation_set(num_candidates: int) -> pd.DataFrame:
    """40 impressions of 10 users, in no order of their ids; the first candidate is clicked."""
    rows = [
        (f"I{7 * number % 40}", f"U{number % 10}", int(place == 0))
        for number in range(40)
        for place in range(num_candidates)
    ]
    return pd.DataFrame(rows, columns=["impression_id", "user_id", "label"])


def measured(rows: pd.DataFrame) -> tuple[dict[str, Measured], dict[str, pd.Series]]:
    rng = np.random.default_rng(1)
    bootstrap = ClusterBootstrap(rows["user_id"], 50, seed=1)
    scores = {name: pd.Series(rng.random(len(rows))) for name in ("base", "tuned", "rule")}
    found = {
        name: measure(rows.assign(score=score), (score >= 0.5).astype("boolean"), bootstrap)
        for name, score in scores.items()
    }
    return found, scores


@pytest.mark.parametrize("other", ["base", "rule"])
def test_the_detectable_difference_is_that_of_the_pair(other: str) -> None:
    rows = evaluation_set(4)
    found, scores = measured(rows)
    gains = group_auc(rows["impression_id"], rows["label"], scores["tuned"]) - group_auc(
        rows["impression_id"], rows["label"], scores[other]
    )
    users = rows.drop_duplicates("impression_id")["user_id"]
    pair = compare_tuned(found, rows)[f"tuned_vs_{other}"]
    assert pair["detectable_auc"] == pytest.approx(detectable(gains, users))
    assert "detectable_accuracy" not in pair


def test_where_no_impression_has_an_auc_accuracy_is_planned_with() -> None:
    rows = evaluation_set(1)
    rows["label"] = np.arange(len(rows)) % 2
    found, scores = measured(rows)
    correct = {name: (score >= 0.5) == (rows["label"] == 1) for name, score in scores.items()}
    gains = correct["tuned"].astype(float) - correct["base"]
    pair = compare_tuned(found, rows)["tuned_vs_base"]
    assert pair["detectable_accuracy"] == pytest.approx(detectable(gains, rows["user_id"]))
    assert "detectable_auc" not in pair


def test_equal_predictors_leave_nothing_to_plan_with() -> None:
    found, _ = measured(evaluation_set(4))
    pair = compare_tuned({"tuned": found["tuned"], "base": found["tuned"]}, evaluation_set(4))
    assert "detectable_auc" not in pair["tuned_vs_base"]
