"""Ranking metrics against figures made beforehand, and against every order of tied rows.

`ranking_golden.json` holds made-up groups; its figures come from a script that shares no code with
the package: the published formulas in plain Python, averaged over every order of the ties.
"""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from newsrec.metrics.ranking import group_auc, rank_metrics

GOLDEN = json.loads((Path(__file__).parents[1] / "assets/ranking_golden.json").read_text())
FIGURES = ["auc", "mrr", "ndcg_at_5", "ndcg_at_10"]
RECALLS = ["recall_at_5", "recall_at_10"]
COUNTS = ["tied_pairs", "pairs", "num_rows"]
GRADES = (0, 1, 2, 3, 0.5)


def golden_rows() -> pd.DataFrame:
    rows = [
        (name, relevance, score)
        for name, case in GOLDEN.items()
        for relevance, score in zip(case["label"], case["score"], strict=True)
    ]
    return pd.DataFrame(rows, columns=["group", "relevance", "score"])


def measured(rows: pd.DataFrame, k: Sequence[int] = (5, 10)) -> pd.DataFrame:
    return rank_metrics(rows["group"], rows["relevance"], rows["score"], k)


def made_up(
    seed: int, num_groups: int = 60, num_levels: int = 4, grades: Sequence[float] = (0, 1)
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(num_groups), rng.integers(2, 7, size=num_groups))
    return pd.DataFrame(
        {
            "group": [f"g{number}" for number in group],
            "relevance": np.asarray(grades)[rng.integers(len(grades), size=len(group))],
            "score": rng.integers(num_levels, size=len(group)) / num_levels,
        }
    )


def without_ties(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(score=np.random.default_rng(2).permutation(len(rows)) / len(rows))


def by_hand(relevance: list[float], k: Sequence[int] = (5, 10)) -> list[float]:
    """MRR, and nDCG at each k, of one order, best first, by the published formulas."""

    def dcg(ordered: list[float], cut: int) -> float:
        return sum((2**y - 1) / math.log2(at + 1) for at, y in enumerate(ordered[:cut], start=1))

    ideal = sorted(relevance, reverse=True)
    mrr = sum((y > 0) / at for at, y in enumerate(relevance, start=1)) / sum(
        y > 0 for y in relevance
    )
    return [mrr, *(dcg(relevance, cut) / dcg(ideal, cut) for cut in k)]


def over_all_orders(group: pd.DataFrame, k: Sequence[int] = (5, 10)) -> list[float]:
    """The mean of `by_hand` over every order of the rows that has falling scores."""
    orders = [
        by_hand([relevance for relevance, _ in order], k)
        for order in itertools.permutations(zip(group["relevance"], group["score"], strict=True))
        if all(first[1] >= second[1] for first, second in itertools.pairwise(order))
    ]
    return [float(figure) for figure in np.mean(orders, axis=0)]


@pytest.mark.parametrize("name", GOLDEN)
def test_a_group_has_the_figures_of_the_golden_file(name: str) -> None:
    figures = GOLDEN[name]["figures"]
    found = measured(golden_rows()).loc[name]
    for key in FIGURES:
        expected = math.nan if figures[key] is None else figures[key]
        assert found[key] == pytest.approx(expected, abs=1e-12, nan_ok=True), key
    assert {key: found[key] for key in COUNTS} == {key: figures[key] for key in COUNTS}


def test_without_ties_the_figures_are_those_of_the_formulas() -> None:
    rows = without_ties(made_up(seed=1))
    found = measured(rows)
    assert found["tied_pairs"].sum() == 0
    for name, group in rows.groupby("group"):
        if group["relevance"].any():
            relevance = list(group.sort_values("score", ascending=False)["relevance"])
            expected = by_hand(relevance)
            assert list(found.loc[name, FIGURES[1:]]) == pytest.approx(expected, abs=1e-12)


def test_with_ties_the_figures_are_the_mean_over_every_order() -> None:
    rows = made_up(seed=3, num_levels=2)
    found = measured(rows)
    assert found["tied_pairs"].sum() > 50
    for name, group in rows.groupby("group"):
        if group["relevance"].any():
            expected = over_all_orders(group)
            assert list(found.loc[name, FIGURES[1:]]) == pytest.approx(expected, abs=1e-12)


def test_recall_is_the_mean_over_every_order_of_ties() -> None:
    rows = made_up(seed=3, num_levels=2)
    found = measured(rows, k=(1, 2, 20))
    for name, group in rows.groupby("group"):
        if not group["relevance"].any():
            assert math.isnan(found.loc[name, "recall_at_1"])
            continue
        orders = [
            [relevance for relevance, _ in order]
            for order in itertools.permutations(
                zip(group["relevance"], group["score"], strict=True)
            )
            if all(first[1] >= second[1] for first, second in itertools.pairwise(order))
        ]
        for k in (1, 2, 20):
            expected = np.mean([sum(order[:k]) / sum(order) for order in orders])
            assert found.loc[name, f"recall_at_{k}"] == pytest.approx(expected, abs=1e-12)


def test_auc_and_ndcg_are_scikit_learns_which_also_averages_over_ties() -> None:
    rows = made_up(seed=4)
    found = measured(rows)
    for name, group in rows.groupby("group"):
        relevance, score = group["relevance"].to_numpy(), group["score"].to_numpy()
        if group["relevance"].nunique() == 2:
            expected = roc_auc_score(relevance, score)
            assert found.loc[name, "auc"] == pytest.approx(expected, abs=1e-12)
            for k in (5, 10):
                expected = ndcg_score(relevance[None], score[None], k=k)
                assert found.loc[name, f"ndcg_at_{k}"] == pytest.approx(expected, abs=1e-12)


def test_auc_of_each_group_is_scikit_learns_in_larger_groups_too() -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "group": rng.integers(40, size=600).astype(str),
            "relevance": rng.integers(2, size=600),
            "score": rng.integers(8, size=600) / 8,  # many ties
        }
    )
    found = group_auc(rows["group"], rows["relevance"], rows["score"])
    for name, group in rows.groupby("group"):
        expected = roc_auc_score(group["relevance"], group["score"])
        assert found[name] == pytest.approx(expected, abs=1e-12)


def test_graded_ndcg_is_scikit_learns_of_exponential_gains() -> None:
    rows = without_ties(made_up(seed=9, num_groups=80, grades=GRADES))
    cuts = (1, 2, 3, 5, 10)
    found = measured(rows, cuts)
    assert found["tied_pairs"].sum() == 0
    num_compared = 0
    for name, group in rows.groupby("group"):
        if group["relevance"].any():
            gain, score = 2 ** group["relevance"].to_numpy() - 1, group["score"].to_numpy()
            for k in cuts:
                expected = ndcg_score(gain[None], score[None], k=k)
                assert found.loc[name, f"ndcg_at_{k}"] == pytest.approx(expected, abs=1e-12)
            num_compared += 1
    assert num_compared > 70


def test_graded_figures_with_ties_are_the_mean_over_every_order() -> None:
    rows = made_up(seed=10, num_levels=2, grades=GRADES)
    cuts = (1, 3, 4)
    found = measured(rows, cuts)
    assert found["tied_pairs"].sum() > 50
    for name, group in rows.groupby("group"):
        if group["relevance"].any():
            figures = list(found.loc[name, ["mrr", *(f"ndcg_at_{k}" for k in cuts)]])
            assert figures == pytest.approx(over_all_orders(group, cuts), abs=1e-12)


def test_a_graded_group_by_hand() -> None:
    rows = pd.DataFrame({"group": "a", "relevance": [1, 0, 3, 2], "score": [0.9, 0.5, 0.5, 0.1]})
    found = measured(rows, (2, 4)).loc["a"]
    # Gains 1, then 0 and 7 in either order (3.5 each), then 3; ideal 7, 3, 1.
    third, fourth = 1 / math.log2(4), 1 / math.log2(5)
    second = 1 / math.log2(3)
    assert found["ndcg_at_2"] == pytest.approx((1 + 3.5 * second) / (7 + 3 * second), abs=1e-12)
    gained = 1 + 3.5 * second + 3.5 * third + 3 * fourth
    assert found["ndcg_at_4"] == pytest.approx(gained / (7 + 3 * second + third), abs=1e-12)
    # Relevant are all but the second: it ties with one, beats one and loses to one.
    assert (found["auc"], found["tied_pairs"], found["pairs"]) == (0.5, 1, 3)
    assert found["mrr"] == pytest.approx((1 + (1 / 2 + 1 / 3) / 2 + 1 / 4) / 3, abs=1e-12)


def test_auc_mrr_and_pairs_take_every_relevance_above_0_alike() -> None:
    rows = made_up(seed=11, grades=GRADES)
    binary = rows.assign(relevance=(rows["relevance"] > 0).astype(int))
    same = ["auc", "mrr", *COUNTS]
    pd.testing.assert_frame_equal(measured(rows)[same], measured(binary)[same], check_exact=True)
    assert not measured(rows)["ndcg_at_5"].equals(measured(binary)["ndcg_at_5"])


def test_ndcg_is_at_the_cut_offs_asked_for() -> None:
    rows = made_up(seed=12)
    found = measured(rows, (1, 3, 20))
    at = [f"{name}_at_{cut}" for cut in (1, 3, 20) for name in ("recall", "ndcg")]
    assert list(found) == ["auc", "mrr", *at, *COUNTS]
    assert list(measured(rows, ())) == ["auc", "mrr", *COUNTS]
    for name, group in rows.groupby("group"):
        if group["relevance"].any():
            figures = list(found.loc[name, ["mrr", "ndcg_at_1", "ndcg_at_3", "ndcg_at_20"]])
            assert figures == pytest.approx(over_all_orders(group, (1, 3, 20)), abs=1e-12)
    with pytest.raises(ValueError, match="k is"):
        measured(rows, (5, 0))


def test_pairs_are_those_of_a_relevant_row_and_another() -> None:
    rows = made_up(seed=5)
    found = measured(rows)
    for name, group in rows.groupby("group"):
        relevant, others = (group.loc[group["relevance"] == value, "score"] for value in (1, 0))
        assert found.loc[name, "pairs"] == len(relevant) * len(others)
        assert found.loc[name, "tied_pairs"] == sum((others == score).sum() for score in relevant)


def test_a_group_of_one_class_has_no_auc() -> None:
    rows = pd.DataFrame(
        {"group": list("aabb"), "relevance": [1, 0, 1, 1], "score": [0.9, 0.1, 0.5, 0.4]}
    )
    auc = group_auc(rows["group"], rows["relevance"], rows["score"])
    assert auc["a"] == 1
    assert math.isnan(auc["b"])


def test_the_order_of_rows_moves_nothing_even_across_groups() -> None:
    rows = made_up(seed=6)
    shuffled = measured(rows.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(shuffled.loc[rows["group"].unique()], measured(rows))


def test_groups_keep_their_order_of_first_appearance() -> None:
    rows = pd.DataFrame({"group": list("bbaa"), "relevance": [1, 0, 0, 1], "score": [4, 3, 2, 1]})
    auc = group_auc(rows["group"], rows["relevance"], rows["score"])
    assert (list(auc.index), list(auc)) == (["b", "a"], [1, 0])


def test_no_rows_make_no_groups() -> None:
    assert measured(golden_rows().iloc[:0]).shape == (0, len([*FIGURES, *RECALLS, *COUNTS]))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("group", None),
        ("relevance", -1),
        ("relevance", math.nan),
        ("relevance", 1001),
        ("score", math.nan),
    ],
)
def test_a_row_that_cannot_be_ranked_is_refused(column: str, value: object) -> None:
    rows = made_up(seed=7).astype({column: object})
    rows.loc[3, column] = value
    with pytest.raises(ValueError, match="in every row"):
        measured(rows)


def test_the_highest_relevance_has_finite_figures() -> None:
    rows = pd.DataFrame({"group": "a", "relevance": [1000, 1000, 0], "score": [1, 2, 3]})
    assert measured(rows).loc["a", "ndcg_at_5"] == pytest.approx(
        (1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3)), abs=1e-12
    )


def test_columns_of_different_length_are_refused() -> None:
    rows = made_up(seed=8)
    with pytest.raises(ValueError, match="relevances"):
        rank_metrics(rows["group"], rows["relevance"][:-1], rows["score"])
