"""One predictor's figures, and one against another."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from newsrec.metrics.ranking import group_auc
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.news.evaluation.calibrated import calibrated_figures, fit
from newsrec.news.evaluation.curves import reliability_rows, roc_rows
from newsrec.news.evaluation.predictor import RANKING, compare, decision_figures, measure
from newsrec.news.evaluation.slices import measure_slices, slice_names, win_rates

NUM_IMPRESSIONS = 200


def predictions(strength: float, seed: int = 1) -> pd.DataFrame:
    """Scores that follow the labels with `strength`; 40 users of 5 impressions."""
    rng = np.random.default_rng(1)
    impression = np.repeat(np.arange(NUM_IMPRESSIONS), 6)
    label = (np.tile(np.arange(6), NUM_IMPRESSIONS) == rng.integers(6, size=len(impression))) * 1
    noise = np.random.default_rng(seed).normal(size=len(impression))
    score = 1 / (1 + np.exp(-(strength * label + noise)))
    return pd.DataFrame(
        {
            "impression_id": impression.astype(str),
            "user_id": (impression // 5).astype(str),
            "news_id": "N1",
            "label": label,
            "score": score,
            "answer_mass": 0.9,
            "text": np.where(score > 0.5, "Yes.", "No."),
        }
    )


def decided(table: pd.DataFrame) -> pd.Series:
    return (table["score"] > 0.5).astype("boolean")


@pytest.fixture
def bootstrap() -> ClusterBootstrap:
    return ClusterBootstrap(predictions(0)["user_id"], 200, seed=1)


def test_every_figure_is_finite_and_has_its_interval_around_it(
    bootstrap: ClusterBootstrap,
) -> None:
    table = predictions(1.0)
    figures = measure(table, decided(table), bootstrap).figures
    assert all(math.isfinite(value) for value in figures.values())
    for name in (*RANKING, "pooled_auc", "accuracy", "f1", "precision", "recall", "log_loss"):
        assert figures[f"{name}_low"] < figures[name] < figures[f"{name}_high"], name
    auc = group_auc(table["impression_id"], table["label"], table["score"])
    assert figures["auc"] == pytest.approx(auc.mean())
    assert figures["num_one_class"] == auc.isna().sum() > 0
    assert figures["num_users"] == 40
    assert figures["tie_rate"] == 0


def test_a_prompt_that_was_not_answered_leaves_the_answer_mass_of_the_others(
    bootstrap: ClusterBootstrap,
) -> None:
    table = predictions(1.0)
    table.loc[3, ["answer_mass", "score"]] = [np.nan, 0.5]
    decision = decided(table)
    decision[3] = pd.NA
    figures = measure(table, decision, bootstrap).figures
    assert figures["answer_mass"] == pytest.approx(0.9)
    assert figures["answer_mass_low"] == pytest.approx(0.9)
    assert figures["unparsed_rate"] == 1 / len(table)
    table["answer_mass"] = np.nan
    assert "answer_mass" not in measure(table, decision, bootstrap).figures


def test_decisions_are_measured_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(1)
    label, yes = pd.Series(rng.integers(2, size=600)), pd.Series(rng.random(600) < 0.5)
    found = decision_figures(label, yes.astype("boolean"))
    for name, function in (
        ("accuracy", accuracy_score),
        ("precision", precision_score),
        ("recall", recall_score),
        ("f1", f1_score),
    ):
        assert found[name] == pytest.approx(function(label, yes), abs=1e-12)
    assert [found[name] for name in ("tn", "fp", "fn", "tp")] == [
        ((label == truth) & (yes == answer)).sum() for truth in (0, 1) for answer in (False, True)
    ]


def test_an_unparsed_answer_is_wrong_and_never_guessed() -> None:
    label = pd.Series([1, 1, 0, 0], dtype="int8")
    decision = pd.Series([True, None, None, False], dtype="boolean")
    found = decision_figures(label, decision)
    assert (found["accuracy"], found["recall"], found["precision"]) == (0.5, 0.5, 1.0)
    assert found["f1"] == pytest.approx(2 / 3, abs=1e-12)
    assert [found[name] for name in ("tn", "fp", "fn", "tp")] == [1, 0, 0, 1]


def test_no_yes_at_all_gives_zeros_and_no_nan() -> None:
    found = decision_figures(pd.Series([1, 0]), pd.Series([False, False], dtype="boolean"))
    assert (found["precision"], found["recall"], found["f1"]) == (0, 0, 0)


def test_resampled_figures_centre_on_the_figures_themselves(bootstrap: ClusterBootstrap) -> None:
    table = predictions(1.0)
    found = measure(table, decided(table), bootstrap)
    for name in ("auc", "pooled_auc", "accuracy", "precision", "recall", "f1", "brier", "log_loss"):
        assert found.samples[name].mean() == pytest.approx(found.figures[name], abs=0.01), name


def test_coarse_scores_tie_and_the_rate_is_reported(bootstrap: ClusterBootstrap) -> None:
    table = predictions(1.0).assign(score=lambda frame: (frame["score"] > 0.5) * 1.0)
    figures = measure(table, decided(table), bootstrap).figures
    assert 0.3 < figures["tie_rate_low"] < figures["tie_rate"] < figures["tie_rate_high"] < 0.7


def test_a_better_model_is_seen_and_an_equal_one_is_not(bootstrap: ClusterBootstrap) -> None:
    weak, strong, equal = predictions(0.2), predictions(1.5), predictions(0.2, seed=2)
    measured = [measure(table, decided(table), bootstrap) for table in (weak, strong, equal)]
    gain = compare(measured[1], measured[0])["auc"]
    assert gain["delta"] == pytest.approx(measured[1].figures["auc"] - measured[0].figures["auc"])
    assert 0 < gain["low"] < gain["delta"] < gain["high"]
    assert gain["p"] < 0.05
    same = compare(measured[2], measured[0])
    assert same["auc"]["low"] < 0 < same["auc"]["high"]
    assert same["accuracy"]["p_mcnemar"] > 0.05


def test_scores_that_are_no_probabilities_are_ranked_and_nothing_else(
    bootstrap: ClusterBootstrap,
) -> None:
    table = predictions(1.0).assign(score=lambda frame: 10 * frame["score"])
    found = measure(table, None, bootstrap)
    assert {"auc", "mrr", "pooled_auc", "tie_rate"} <= set(found.figures)
    assert not {"accuracy", "f1", "log_loss", "ece"} & set(found.figures)
    other = measure(predictions(1.0), decided(predictions(1.0)), bootstrap)
    assert set(compare(other, found)) == {"auc", "mrr", "ndcg_at_10"}


def test_an_unread_answer_is_never_correct(bootstrap: ClusterBootstrap) -> None:
    table = predictions(1.0)
    nothing = pd.Series([pd.NA] * len(table), dtype="boolean")
    found = measure(table, nothing, bootstrap)
    assert (found.figures["accuracy"], found.figures["unparsed_rate"]) == (0, 1)
    assert found.correct is not None
    assert not found.correct.any()


def test_calibration_lowers_the_losses_and_keeps_the_order() -> None:
    val, test = predictions(2.0), predictions(2.0, seed=3)
    for table in (val, test):
        table["score"] = 1 / (1 + np.exp(-3 * np.log(table["score"] / (1 - table["score"]))))
    rate = float(val["label"].mean())
    calibration = fit(val["label"], val["score"], train_rate=0.5, true_rate=rate)
    bootstrap = ClusterBootstrap(test["user_id"], 100, 1)
    figures = calibrated_figures(calibration, test, bootstrap)
    low, high = figures["log_loss_calibrated_low"], figures["log_loss_calibrated_high"]
    assert low < figures["log_loss_calibrated"] < high
    raw = measure(test, decided(test), bootstrap).figures
    assert figures["log_loss_calibrated"] < raw["log_loss"]
    assert figures["ece_calibrated"] < raw["ece"]
    assert calibration.temperature > 1
    order = np.argsort(test["score"].to_numpy(), kind="stable")
    assert (np.diff(calibration.apply(test["score"])[order]) >= 0).all()


def test_win_rates_average_to_the_auc_of_the_impression() -> None:
    table = predictions(1.0)
    rates = win_rates(table)
    auc = group_auc(table["impression_id"], table["label"], table["score"])
    mean = rates.groupby(table["impression_id"]).mean()
    pd.testing.assert_series_equal(mean[auc.index], auc, check_names=False)
    assert rates[table["label"] == 0].isna().all()


def test_slices_cover_every_click_once_under_each_heading(bootstrap: ClusterBootstrap) -> None:
    table = predictions(1.0)
    facts = table.assign(
        history_length=np.where(table["user_id"].astype(int) < 3, 0, 5),
        user_in_train=False,
        news_in_train=np.arange(len(table)) % 2 == 0,
        category="topic",
        time=pd.Timestamp("2019-11-11 13:00:00"),
    )
    slices = slice_names(facts)
    found = measure_slices({"tuned": table}, slices, bootstrap)
    assert list(found) == ["history", "user", "news", "candidates", "hour", "topic"]
    usable = int(win_rates(table).notna().sum())
    for heading, parts in found.items():
        assert sum(part["tuned"]["num_clicks"] for part in parts.values()) == usable, heading
    assert set(found["history"]) == {"none", "short: 1 to 10"}
    assert set(found["hour"]) == {"12 to 17"}
    part = found["news"]["new"]["tuned"]
    assert part["low"] < part["value"] < part["high"]


def test_curves_have_few_points_and_both_ends() -> None:
    table = predictions(1.0)
    points = roc_rows(table)
    assert (points[0], points[-1]) == ((0, 0), (1, 1))
    assert len(points) <= 200
    calibration = fit(table["label"], table["score"], train_rate=0.5, true_rate=0.2)
    reliability = reliability_rows(table, calibration)
    for kind in ("raw", "calibrated"):
        assert sum(row[-1] for row in reliability if row[0] == kind) == len(table)
