"""Intervals of shares: resampled where rows differ, exact where they do not."""

import numpy as np
import pytest
from scipy.stats import binomtest

from newsrec.metrics.intervals import share_interval
from newsrec.metrics.significance import ClusterBootstrap, interval

CLUSTER = np.arange(60) // 2
BOOTSTRAP = ClusterBootstrap(CLUSTER, num_resamples=50, seed=1)


@pytest.mark.parametrize("value", [0, 1])
def test_a_share_of_rows_that_are_all_alike_has_exact_bounds_by_clusters(value: int) -> None:
    rows = np.full(60, value)
    expected = binomtest(30 * value, 30).proportion_ci(method="exact")
    found = share_interval(rows, BOOTSTRAP.mean(rows), num_clusters=30)
    assert found == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_another_share_has_the_interval_of_its_resamples() -> None:
    rows = (CLUSTER % 3 == 0).astype(float)
    drawn = BOOTSTRAP.mean(rows)
    assert share_interval(rows, drawn, num_clusters=30) == interval(drawn)


def test_rows_that_the_share_is_not_of_do_not_count() -> None:
    rows = np.where(CLUSTER < 10, 1.0, np.nan)
    low, high = share_interval(rows, BOOTSTRAP.mean(rows), num_clusters=10)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 10)), 1)
