"""Intervals of shares, means and gains: exact where few rows or none differ."""

import numpy as np
import pytest
from scipy.stats import binomtest

from newsrec.metrics.intervals import (
    careful_gain,
    mean_interval,
    share_interval,
    unseen_share,
)
from newsrec.metrics.significance import ClusterBootstrap, interval, paired

CLUSTER = np.arange(60) // 2
BOOTSTRAP = ClusterBootstrap(CLUSTER, num_resamples=50, seed=1)


@pytest.mark.parametrize("value", [0, 1])
def test_a_share_of_rows_that_are_all_alike_has_exact_bounds_by_clusters(value: int) -> None:
    rows = np.full(60, value)
    expected = binomtest(30 * value, 30).proportion_ci(method="exact")
    found = share_interval(rows, BOOTSTRAP.mean(rows), num_clusters=30)
    assert found == (pytest.approx(expected.low), pytest.approx(expected.high))


@pytest.mark.parametrize("num_events", [1, 2, 5, 200])
def test_a_rare_share_is_as_wide_as_that_of_as_many_independent_trials(num_events: int) -> None:
    rows = (np.arange(402) < num_events).astype(float)
    drawn = ClusterBootstrap(np.arange(402), num_resamples=2_000, seed=1).mean(rows)
    low, high = share_interval(rows, drawn, num_clusters=402)
    exact = binomtest(num_events, 402).proportion_ci(method="exact")
    # At most as many trials as there are clusters, and about as many as resamples show.
    assert exact.low * 0.9 < low <= exact.low * (1 + 1e-9)
    assert exact.high * (1 - 1e-9) <= high < exact.high * 1.1


def test_the_bound_of_a_share_grows_with_its_events() -> None:
    bootstrap = ClusterBootstrap(np.arange(402), num_resamples=500, seed=1)
    highs = []
    for num_events in range(6):
        rows = (np.arange(402) < num_events).astype(float)
        highs.append(share_interval(rows, bootstrap.mean(rows), num_clusters=402)[1])
    assert highs == sorted(highs)
    assert highs[1] > 0.0137 > 0.0092 > highs[0]


def test_rows_that_are_alike_in_clusters_count_less() -> None:
    cluster = np.arange(400) // 20
    bootstrap = ClusterBootstrap(cluster, num_resamples=2_000, seed=1)
    alike, mixed = (cluster % 4 == 0).astype(float), (np.arange(400) % 4 == 0).astype(float)
    wide = share_interval(alike, bootstrap.mean(alike), num_clusters=20)
    exact = binomtest(5, 20).proportion_ci(method="exact")
    assert wide == (pytest.approx(exact.low, abs=0.02), pytest.approx(exact.high, abs=0.02))
    # Never fewer trials than the resamples show, never more than there are clusters.
    narrow = share_interval(mixed, bootstrap.mean(mixed), num_clusters=20)
    assert narrow == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_rows_that_the_share_is_not_of_do_not_count() -> None:
    rows = np.where(CLUSTER < 10, 1.0, np.nan)
    low, high = share_interval(rows, BOOTSTRAP.mean(rows), num_clusters=10)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 10)), 1)


def test_a_mean_whose_values_do_not_vary_has_exact_bounds_and_another_one_those_of_resamples() -> (
    None
):
    rows = np.full(60, 100.0)
    low, high = mean_interval(100.0, BOOTSTRAP.mean(rows), (0.0, 100.0), unseen_share(30))
    assert (low, high) == (pytest.approx(100 * 0.025 ** (1 / 30)), 100)
    rows = np.linspace(0, 100, 60)
    drawn = BOOTSTRAP.mean(rows)
    assert mean_interval(50.0, drawn, (0.0, 100.0), unseen_share(30)) == interval(drawn)


def gain_of(before: list[float], after: list[float]) -> tuple[float, float, float]:
    """Low, high and p of a gain over rows that are a cluster each."""
    num, changed = len(before), sum(np.not_equal(before, after))
    bootstrap = ClusterBootstrap(np.arange(num), num_resamples=1_000, seed=1)
    samples = [bootstrap.mean(values) for values in (before, after)]
    found = paired(float(np.mean(before)), samples[0], float(np.mean(after)), samples[1])
    gain = careful_gain(found, 1.0, unseen_share(num), changed)
    assert gain.delta == found.delta
    return gain.low, gain.high, gain.p


def test_fewer_than_six_clusters_show_no_gain_and_six_that_agree_do() -> None:
    low, high, p = gain_of([0.0], [1.0])
    assert (low, high, p) == (pytest.approx(-0.95), 1, 1)
    for num in range(1, 6):
        low, _, p = gain_of([0.0] * num, [1.0] * num)
        assert low <= 0
        assert p > 0.05
    low, _, p = gain_of([0.0] * 6, [1.0] * 6)
    assert low > 0
    assert p == pytest.approx(binomtest(6, 6).pvalue)


def test_of_many_rows_only_those_that_differ_count_for_the_sign_test() -> None:
    low, high, p = gain_of([0.0] * 5 + [1.0] * 7, [1.0] * 12)
    assert low == 0 < high
    assert p == pytest.approx(binomtest(5, 5).pvalue)
    # No difference at all is no proof of none.
    low, high, p = gain_of([1.0] * 60, [1.0] * 60)
    assert (low, high, p) == (pytest.approx(-unseen_share(60)), pytest.approx(unseen_share(60)), 1)


def test_a_gain_of_many_rows_is_that_of_the_resamples() -> None:
    rng = np.random.default_rng(1)
    before, after = (rng.random(300) < share for share in (0.4, 0.7))
    bootstrap = ClusterBootstrap(np.arange(300), num_resamples=1_000, seed=1)
    samples = [bootstrap.mean(values) for values in (before, after)]
    found = paired(before.mean(), samples[0], after.mean(), samples[1])
    assert careful_gain(found, 1.0, unseen_share(300), int((before != after).sum())) == found
