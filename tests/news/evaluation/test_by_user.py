"""Sums by user are enough for the paired test, and name nobody."""

import json

import numpy as np
import pandas as pd
import pytest

from newsrec.metrics.significance import ClusterBootstrap
from newsrec.news.evaluation.by_user import paired_gain, sums_by_user
from newsrec.news.evaluation.predictor import Measured, compare, measure

NUM_RESAMPLES, SEED = 100, 3


def evaluation_set(num_candidates: int = 4) -> pd.DataFrame:
    """60 impressions of 12 users in no order; some have clicks alone, and so no AUC."""
    rng = np.random.default_rng(5)
    rows = [
        (f"I{7 * number % 60}", f"U{rng.integers(12)}", f"N{place}", int(place <= number % 4))
        for number in range(60)
        for place in range(num_candidates)
    ]
    table = pd.DataFrame(rows, columns=["impression_id", "user_id", "news_id", "label"])
    table["user_id"] = table.groupby("impression_id")["user_id"].transform("first")
    return table


def measured(rows: pd.DataFrame, seed: int) -> Measured:
    score = pd.Series(np.random.default_rng(seed).random(len(rows))) + 0.1 * seed * rows["label"]
    score = score.clip(0, 1)
    decision = (score >= 0.5).astype("boolean")
    bootstrap = ClusterBootstrap(rows["user_id"], NUM_RESAMPLES, SEED)
    return measure(rows.assign(score=score), decision, bootstrap)


@pytest.mark.parametrize("key", ["auc", "accuracy"])
def test_the_test_is_the_one_over_the_rows(key: str) -> None:
    rows = evaluation_set()
    one, other = measured(rows, 4), measured(rows, 1)
    sums = [json.loads(json.dumps(sums_by_user(found, rows))) for found in (one, other)]
    found = paired_gain(sums[0], sums[1], key, NUM_RESAMPLES, SEED)
    expected = compare(one, other)[key]
    assert expected["delta"] != 0
    for name in ("delta", "low", "high", "p"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-12), name


def test_the_sums_name_no_user_and_no_news() -> None:
    rows = evaluation_set()
    text = json.dumps(sums_by_user(measured(rows, 1), rows))
    assert not [name for name in {*rows["user_id"], *rows["news_id"]} if f'"{name}"' in text]


def test_other_rows_have_another_digest() -> None:
    rows = evaluation_set()
    found = {sums_by_user(measured(rows, seed), rows)["rows"] for seed in (1, 2)}
    assert len(found) == 1
    for column, value in {"impression_id": "I9x", "user_id": "U9x", "news_id": "N9x"}.items():
        other = rows.copy()
        other.loc[0, column] = value
        found.add(sums_by_user(measured(other, 1), other)["rows"])
    other = rows.copy()
    other.loc[1, "label"] = 1 - other.loc[1, "label"]
    found.add(sums_by_user(measured(other, 1), other)["rows"])
    assert len(found) == 5


def test_where_no_impression_has_an_auc_there_is_accuracy() -> None:
    rows = evaluation_set(1)
    one, other = (sums_by_user(measured(rows, seed), rows) for seed in (4, 1))
    assert sum(one["num_aucs"]) == 0
    assert paired_gain(one, other, "accuracy", NUM_RESAMPLES, SEED).delta != 0
