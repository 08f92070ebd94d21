"""Ranking metrics against figures made beforehand, and against every order of tied candidates.

`ranking_golden.json` holds made-up impressions; its figures come from a script that shares no code
with the package: the official formulas in plain Python, averaged over every order of the ties.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from newsrec.metrics.ranking import impression_auc, rank_metrics

GOLDEN = json.loads((Path(__file__).parents[1] / "assets/ranking_golden.json").read_text())
FIGURES = ["auc", "mrr", "ndcg_at_5", "ndcg_at_10"]
COUNTS = ["tied_pairs", "pairs", "num_rows"]


def golden_rows() -> pd.DataFrame:
    rows = [
        (name, label, score)
        for name, case in GOLDEN.items()
        for label, score in zip(case["label"], case["score"], strict=True)
    ]
    return pd.DataFrame(rows, columns=["impression", "label", "score"])


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    return rank_metrics(rows["impression"], rows["label"], rows["score"])


def made_up(seed: int, num_impressions: int = 60, num_levels: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    impression = np.repeat(np.arange(num_impressions), rng.integers(2, 7, size=num_impressions))
    return pd.DataFrame(
        {
            "impression": [f"i{number}" for number in impression],
            "label": rng.integers(2, size=len(impression)),
            "score": rng.integers(num_levels, size=len(impression)) / num_levels,
        }
    )


def official(label: list[int]) -> tuple[float, float, float]:
    """MRR and nDCG at 5 and 10 of labels, best first, as the official scorer computes them."""

    def dcg(labels: list[int], k: int) -> float:
        return sum((2**y - 1) / math.log2(at + 1) for at, y in enumerate(labels[:k], start=1))

    ideal = sorted(label, reverse=True)
    mrr = sum(y / at for at, y in enumerate(label, start=1)) / sum(label)
    return mrr, dcg(label, 5) / dcg(ideal, 5), dcg(label, 10) / dcg(ideal, 10)


def over_all_orders(group: pd.DataFrame) -> list[float]:
    """The mean of `official` over every order of the rows that has falling scores."""
    orders = [
        official([label for label, _ in order])
        for order in itertools.permutations(zip(group["label"], group["score"], strict=True))
        if all(first[1] >= second[1] for first, second in itertools.pairwise(order))
    ]
    return [float(figure) for figure in np.mean(orders, axis=0)]


@pytest.mark.parametrize("name", GOLDEN)
def test_an_impression_has_the_figures_of_the_golden_file(name: str) -> None:
    figures = GOLDEN[name]["figures"]
    found = measured(golden_rows()).loc[name]
    for key in FIGURES:
        expected = math.nan if figures[key] is None else figures[key]
        assert found[key] == pytest.approx(expected, abs=1e-12, nan_ok=True), key
    assert {key: found[key] for key in COUNTS} == {key: figures[key] for key in COUNTS}


def test_without_ties_the_figures_are_the_official_scorers() -> None:
    rows = made_up(seed=1)
    rows["score"] = np.random.default_rng(2).permutation(len(rows)) / len(rows)
    found = measured(rows)
    assert found["tied_pairs"].sum() == 0
    for name, group in rows.groupby("impression"):
        if group["label"].any():
            label = list(group.sort_values("score", ascending=False)["label"])
            assert list(found.loc[name, FIGURES[1:]]) == pytest.approx(official(label), abs=1e-12)


def test_with_ties_the_figures_are_the_mean_over_every_order() -> None:
    rows = made_up(seed=3, num_levels=2)
    found = measured(rows)
    assert found["tied_pairs"].sum() > 50
    for name, group in rows.groupby("impression"):
        if group["label"].any():
            expected = over_all_orders(group)
            assert list(found.loc[name, FIGURES[1:]]) == pytest.approx(expected, abs=1e-12)


def test_auc_and_ndcg_are_scikit_learns_which_also_averages_over_ties() -> None:
    rows = made_up(seed=4)
    found = measured(rows)
    for name, group in rows.groupby("impression"):
        label, score = group["label"].to_numpy(), group["score"].to_numpy()
        if group["label"].nunique() == 2:
            assert found.loc[name, "auc"] == pytest.approx(roc_auc_score(label, score), abs=1e-12)
            for k in (5, 10):
                expected = ndcg_score(label[None], score[None], k=k)
                assert found.loc[name, f"ndcg_at_{k}"] == pytest.approx(expected, abs=1e-12)


def test_pairs_are_those_of_different_label() -> None:
    rows = made_up(seed=5)
    found = measured(rows)
    for name, group in rows.groupby("impression"):
        clicks, others = (group.loc[group["label"] == label, "score"] for label in (1, 0))
        assert found.loc[name, "pairs"] == len(clicks) * len(others)
        assert found.loc[name, "tied_pairs"] == sum((others == score).sum() for score in clicks)


def test_the_order_of_rows_moves_nothing_even_across_impressions() -> None:
    rows = made_up(seed=6)
    shuffled = measured(rows.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(shuffled.loc[rows["impression"].unique()], measured(rows))


def test_impressions_keep_their_order_of_first_appearance() -> None:
    rows = pd.DataFrame({"impression": list("bbaa"), "label": [1, 0, 0, 1], "score": [4, 3, 2, 1]})
    auc = impression_auc(rows["impression"], rows["label"], rows["score"])
    assert (list(auc.index), list(auc)) == (["b", "a"], [1, 0])


def test_no_rows_make_no_impressions() -> None:
    assert measured(golden_rows().iloc[:0]).shape == (0, len(FIGURES) + len(COUNTS))


@pytest.mark.parametrize(
    ("column", "value"), [("impression", None), ("label", 2), ("score", math.nan)]
)
def test_a_row_that_cannot_be_ranked_is_refused(column: str, value: object) -> None:
    rows = made_up(seed=7).astype({column: object})
    rows.loc[3, column] = value
    with pytest.raises(ValueError, match="in every row"):
        measured(rows)


def test_columns_of_different_length_are_refused() -> None:
    rows = made_up(seed=8)
    with pytest.raises(ValueError, match="labels"):
        rank_metrics(rows["impression"], rows["label"][:-1], rows["score"])
