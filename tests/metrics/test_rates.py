"""Exact bounds, thresholds and precision elsewhere: by hand, by definition and by drawing."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from newsrec.metrics.rates import (
    exact_rate,
    precision_at_share,
    threshold_at,
    trials_to_prove,
    upper_bound,
)


def test_the_interval_of_no_event_is_the_closed_form() -> None:
    found = exact_rate(0, 300)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 300))


def test_the_interval_covers_the_true_share_at_least_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.binomial(80, 0.02, size=400)
    rates = [exact_rate(int(events), 80) for events in drawn]
    assert np.mean([rate.low <= 0.02 <= rate.high for rate in rates]) >= 0.95


@pytest.mark.parametrize(("events", "trials"), [(0, 1), (1, 1), (3, 40), (40, 40), (17, 3000)])
def test_the_bounds_are_scipys_exact_ones(events: int, trials: int) -> None:
    bounds = binomtest(events, trials).proportion_ci(method="exact")
    assert exact_rate(events, trials)[1:] == pytest.approx((bounds.low, bounds.high))
    one_sided = binomtest(events, trials, alternative="less").proportion_ci(method="exact")
    assert upper_bound(events, trials) == pytest.approx(one_sided.high)


@pytest.mark.parametrize(("events", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(events: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"{events} events in {trials} trials"):
        exact_rate(events, trials)


def test_299_clean_rows_prove_one_percent() -> None:
    assert trials_to_prove(0.01) == 299
    assert [trials_to_prove(rate) for rate in (0.05, 0.02, 0.001)] == [59, 149, 2995]


@pytest.mark.parametrize("events", [1, 2, 7])
def test_fewer_rows_than_that_do_not_prove_it(events: int) -> None:
    def upper(trials: int) -> float:
        # The share at which so few events have a chance of 5 %.
        low, high = 0.0, 1.0
        for _ in range(60):
            share = (low + high) / 2
            chance = sum(
                math.comb(trials, k) * share**k * (1 - share) ** (trials - k)
                for k in range(events + 1)
            )
            low, high = (share, high) if chance > 0.05 else (low, share)
        return high

    num = trials_to_prove(0.02, num_events=events)
    assert upper(num) <= 0.02 < upper(num - 1)
    assert upper_bound(events, num) == pytest.approx(upper(num))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_rate_that_nothing_proves_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        trials_to_prove(rate)


def test_the_threshold_lets_the_allowed_share_of_negatives_through() -> None:
    scores = np.random.default_rng(2).random(300)
    for rate in (0, 0.01, 0.02, 0.05):
        threshold = threshold_at(scores, rate)
        assert (scores > threshold).sum() == round(300 * rate)
        # A lower one would let more through.
        assert (scores >= threshold).sum() == round(300 * rate) + 1


def test_tied_negatives_stay_below_the_threshold_together() -> None:
    assert threshold_at([0.9, 0.9, 0.9, 0.1], 0.25) == 0.9
    assert threshold_at([0.5] * 10, 0.05) == 0.5


@pytest.mark.parametrize(("scores", "rate"), [([], 0.1), ([math.nan], 0.1), ([0.1], 1.0)])
def test_no_threshold_without_scores_and_a_rate(scores: list[float], rate: float) -> None:
    with pytest.raises(ValueError, match="expected finite scores"):
        threshold_at(scores, rate)


def test_precision_elsewhere_is_that_of_a_sample_with_its_shares() -> None:
    # 1,000 rows of which 20 are positive: 18 found, and 49 of 980 flagged wrongly.
    assert precision_at_share(0.9, 0.05, 0.02) == pytest.approx(18 / (18 + 49))
    assert precision_at_share([0, 1], [0, 0], 0.5).tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"share of positives is 1\.5"):
        precision_at_share(0.5, 0.1, 1.5)
