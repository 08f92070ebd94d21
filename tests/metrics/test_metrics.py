"""Metrics against scikit-learn and by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from newsrec.metrics.binary import decision_metrics, pooled_auc
from newsrec.metrics.ranking import impression_auc


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "impression_id": rng.integers(40, size=600).astype(str),
            "label": rng.integers(2, size=600),
            "score": rng.integers(8, size=600) / 8,  # many ties
        }
    )


def test_auc_of_each_impression_is_scikit_learns_with_ties(table: pd.DataFrame) -> None:
    found = impression_auc(table["impression_id"], table["label"], table["score"])
    for id_, group in table.groupby("impression_id"):
        assert found[id_] == pytest.approx(roc_auc_score(group["label"], group["score"]), abs=1e-12)


def test_an_impression_of_one_class_has_no_auc_and_is_counted() -> None:
    table = pd.DataFrame(
        {"impression_id": list("aabb"), "label": [1, 0, 1, 1], "score": [0.9, 0.1, 0.5, 0.4]}
    )
    auc = impression_auc(table["impression_id"], table["label"], table["score"])
    assert auc["a"] == 1
    assert math.isnan(auc["b"])


def test_decisions_are_measured_as_scikit_learn_does(table: pd.DataFrame) -> None:
    decision = table["score"] >= 0.5
    found = decision_metrics(table["label"], decision.astype("boolean"))
    for name, function in (
        ("accuracy", accuracy_score),
        ("precision", precision_score),
        ("recall", recall_score),
        ("f1", f1_score),
    ):
        assert found[name] == pytest.approx(function(table["label"], decision))
    assert sum(found[name] for name in ("tn", "fp", "fn", "tp")) == len(table)


def test_an_unparsed_answer_is_wrong_and_never_guessed() -> None:
    label = pd.Series([1, 1, 0, 0])
    decision = pd.Series([True, None, None, False], dtype="boolean")
    found = decision_metrics(label, decision)
    assert (found["accuracy"], found["recall"], found["precision"]) == (0.5, 0.5, 1.0)
    assert [found[name] for name in ("tn", "fp", "fn", "tp")] == [1, 0, 0, 1]


def test_no_yes_at_all_gives_zeros_and_no_nan() -> None:
    found = decision_metrics(pd.Series([1, 0]), pd.Series([False, False], dtype="boolean"))
    assert (found["precision"], found["recall"], found["f1"]) == (0, 0, 0)


def test_pooled_auc_needs_two_classes() -> None:
    assert pooled_auc(pd.Series([1, 1]), pd.Series([0.1, 0.2])) is None
    assert pooled_auc(pd.Series([1, 0]), pd.Series([0.2, 0.1])) == 1
