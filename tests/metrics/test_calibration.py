"""Calibration against scikit-learn, by hand, and by correcting what was distorted on purpose."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as scikit_log_loss

from newsrec.metrics.calibration import (
    apply_temperature,
    brier,
    clipped_logit,
    ece,
    fit_temperature,
    log_loss,
    prior_shift,
    reliability_curve,
)


def honest(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn with the very probabilities given, and the logits of these."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 1.5, size=num_rows)
    return (rng.random(num_rows) < apply_temperature(logit, 1)).astype(int), logit


def test_log_loss_and_brier_are_scikit_learns() -> None:
    label, logit = honest(500, seed=1)
    probability = apply_temperature(logit, 1)
    assert log_loss(label, probability) == pytest.approx(scikit_log_loss(label, probability))
    assert brier(label, probability) == pytest.approx(brier_score_loss(label, probability))


def test_log_loss_and_brier_by_hand() -> None:
    label, probability = [1, 0, 1], [0.9, 0.2, 0.5]
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.5)) / 3
    assert log_loss(label, probability) == pytest.approx(expected, abs=1e-12)
    assert brier(label, probability) == pytest.approx((0.01 + 0.04 + 0.25) / 3, abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_label_have_a_log_loss_and_a_brier_score(label: int) -> None:
    of_label = 0.25 if label else 0.75
    found = log_loss([label] * 2, [0.25] * 2), brier([label] * 2, [0.25] * 2)
    assert found == pytest.approx((-math.log(of_label), (1 - of_label) ** 2), abs=1e-12)


def test_a_sure_mistake_costs_much_but_stays_finite() -> None:
    eps = np.finfo(float).eps
    assert log_loss([1, 0], [0, 1]) == pytest.approx(-math.log(eps))
    assert log_loss([1, 0], [1, 0]) == pytest.approx(0, abs=1e-15)
    assert (brier([1, 0], [0, 1]), ece([1, 0], [0, 1])) == (1, 1)
    assert list(clipped_logit([0, 0.5, 1])) == pytest.approx([math.log(eps), 0, -math.log(eps)])


def test_ece_is_the_mean_gap_by_hand() -> None:
    label = [0, 0, 1, 1, 1]
    probability = [0.1, 0.3, 0.4, 0.7, 0.9]
    # Two bins: 3 rows of mean 0.8 / 3 with 1 / 3 of ones; 2 rows of mean 0.8, all ones.
    assert ece(label, probability, num_bins=2) == pytest.approx((0.2 + 2 * 0.2) / 5)


def test_the_curve_has_the_bins_that_hold_rows() -> None:
    curve = reliability_curve([0, 1, 1, 0], [0, 0.25, 1, 0.5], num_bins=4)
    assert list(curve.columns) == [
        "bin_low",
        "bin_high",
        "mean_probability",
        "positive_rate",
        "num_rows",
    ]
    assert curve.to_numpy().tolist() == [
        [0, 0.25, 0, 0, 1],
        [0.25, 0.5, 0.25, 1, 1],  # a bound belongs to the bin above it
        [0.5, 0.75, 0.5, 0, 1],
        [0.75, 1, 1, 1, 1],  # and 1 to the last
    ]


def test_every_bound_lies_in_the_bin_above_it_whatever_the_rounding() -> None:
    edges = np.arange(15) / 15
    curve = reliability_curve(np.zeros(15), edges, num_bins=15)
    assert list(curve["bin_low"]) == list(edges)
    assert set(curve["num_rows"]) == {1}


def test_ece_is_low_for_honest_probabilities_and_high_for_others() -> None:
    label, logit = honest(20_000, seed=2)
    assert ece(label, apply_temperature(logit, 1)) < 0.01
    assert ece(label, apply_temperature(logit, 0.3)) > 0.05


@pytest.mark.slow  # a second or so
def test_prior_shift_undoes_resampling() -> None:
    rng = np.random.default_rng(3)
    label, logit = honest(60_000, seed=3)
    true_rate = label.mean()
    # Keep a fifth of the zeros: what is learnt there has five times the odds.
    kept = (label == 1) | (rng.random(len(label)) < 0.2)
    train_rate = label[kept].mean()
    learnt = apply_temperature(logit + math.log(5), 1)
    assert ece(label[kept], learnt[kept]) < 0.01  # right where it was trained
    assert ece(label, learnt) > 0.1
    corrected = prior_shift(learnt, train_rate, true_rate)
    assert ece(label, corrected) < 0.01
    assert corrected == pytest.approx(apply_temperature(logit, 1), abs=0.01)


def test_prior_shift_by_hand() -> None:
    # Odds 1 at 1 : 1 become odds 1/4 at 1 : 4.
    assert list(prior_shift([0, 0.5, 1], 0.5, 0.2)) == pytest.approx([0, 0.2, 1])
    assert list(prior_shift([0.3], 0.4, 0.4)) == pytest.approx([0.3])


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_applied_is_found(temperature: float) -> None:
    label, logit = honest(50_000, seed=4)
    found = fit_temperature(label, logit * temperature)
    assert found == pytest.approx(temperature, rel=0.05)
    calibrated = apply_temperature(logit * temperature, found)
    assert log_loss(label, calibrated) <= log_loss(label, apply_temperature(logit * temperature, 1))


def test_the_temperature_found_is_the_best_nearby() -> None:
    label, logit = honest(300, seed=5)
    found = fit_temperature(label, logit)
    best = log_loss(label, apply_temperature(logit, found))
    for factor in (0.98, 1.02):
        assert best < log_loss(label, apply_temperature(logit, found * factor))


def test_logits_too_good_or_too_bad_end_at_the_bounds_and_stay_finite() -> None:
    assert fit_temperature([0, 1], [-5, 5]) == pytest.approx(0.01, rel=0.1)
    assert fit_temperature([1, 0], [-5, 5]) == pytest.approx(100, rel=0.1)
    assert list(apply_temperature([-1e5, 0, 1e5], 0.01)) == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("label", "probability", "word"),
    [
        ([], [], "no rows"),
        ([1], [0.5, 0.5], "labels but"),
        ([2], [0.5], "neither 0 nor 1"),
        ([1], [1.5], "outside"),
        ([1], [math.nan], "missing"),
    ],
)
def test_rows_that_cannot_be_measured_are_refused(
    label: list[int], probability: list[float], word: str
) -> None:
    for figure in (log_loss, brier, ece):
        with pytest.raises(ValueError, match=word):
            figure(label, probability)


def test_settings_without_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="num_bins"):
        ece([1], [0.5], num_bins=0)
    with pytest.raises(ValueError, match="true_rate"):
        prior_shift([0.5], 0.5, 0)
    with pytest.raises(ValueError, match="temperature"):
        apply_temperature([0.0], 0)
    with pytest.raises(ValueError, match="clip"):
        fit_temperature([1], [math.inf])
