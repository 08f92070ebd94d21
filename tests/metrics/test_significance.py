"""Intervals, tests and plans against scikit-learn, by hand, and on data whose truth is known."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from newsrec.metrics import significance
from newsrec.metrics.significance import (
    ClusterBootstrap,
    detectable,
    groups_needed,
    interval,
    mcnemar,
    paired,
)


def clustered(
    rng: np.random.Generator, num_clusters: int, rows_each: int
) -> tuple[np.ndarray, np.ndarray]:
    """Clusters and values of true mean 0, half of whose variance is the cluster's."""
    cluster = np.repeat(np.arange(num_clusters), rows_each)
    return cluster, rng.normal(size=num_clusters)[cluster] + rng.normal(size=len(cluster))


def test_every_resample_draws_as_many_clusters_as_there_are() -> None:
    bootstrap = ClusterBootstrap(list("aabbbc" * 20), num_resamples=3000, seed=1)
    assert list(bootstrap.clusters) == ["a", "b", "c"]
    assert bootstrap.weights.shape == (3000, 3)
    assert set(bootstrap.weights.sum(axis=1)) == {3}
    # Multinomial: a cluster's count has mean 1 and variance 1 - 1/3.
    assert bootstrap.weights.mean(axis=0) == pytest.approx(np.ones(3), abs=0.05)
    assert bootstrap.weights.var(axis=0) == pytest.approx(np.full(3, 2 / 3), abs=0.05)


def test_the_seed_decides_the_resamples_and_chunks_do_not_repeat_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(significance, "_CHUNK_CELLS", 500)  # five resamples at a time
    cluster = np.arange(100)
    first, again, other = (ClusterBootstrap(cluster, 23, seed).weights for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert len(np.unique(first, axis=0)) == 23


def test_ratio_is_of_the_rows_each_resample_drew() -> None:
    rng = np.random.default_rng(1)
    cluster = rng.integers(10, size=200)
    above, below = rng.normal(size=200), rng.random(200)
    above[3] = below[7] = math.nan
    bootstrap = ClusterBootstrap(cluster, 20, seed=1)
    place = {name: at for at, name in enumerate(bootstrap.clusters)}
    used = ~np.isnan(above + below)
    for weights, found in zip(bootstrap.weights, bootstrap.ratio(above, below), strict=True):
        rows = np.repeat(np.arange(200), [weights[place[name]] for name in cluster])
        rows = rows[used[rows]]
        assert found == pytest.approx(above[rows].sum() / below[rows].sum())


def test_mean_leaves_out_what_is_missing() -> None:
    values = pd.Series([1.0, 3.0, math.nan, 5.0], index=[7, 3, 7, 1])
    bootstrap = ClusterBootstrap(list("abcc"), 200, seed=1)
    means = bootstrap.mean(values)
    only_c = (bootstrap.weights == [0, 0, 3]).all(axis=1)
    assert only_c.any()
    assert set(means[only_c]) == {5}


def test_a_resample_without_a_denominator_has_no_ratio() -> None:
    bootstrap = ClusterBootstrap(list("ab"), 100, seed=1)
    found = bootstrap.ratio([1, 1], [1, 0])
    assert (np.isnan(found) == (bootstrap.weights[:, 0] == 0)).all()
    assert np.isnan(found).any()
    assert interval(found)[0] == 1


def test_a_function_of_sums_is_f1_of_the_rows_each_resample_drew() -> None:
    rng = np.random.default_rng(2)
    cluster, label, said = (
        rng.integers(8, size=300),
        rng.integers(2, size=300),
        rng.random(300) > 0.4,
    )
    rows = pd.DataFrame(
        {"tp": label * said, "fp": (1 - label) * said, "fn": label * ~said}, dtype=float
    )
    bootstrap = ClusterBootstrap(cluster, 15, seed=1)

    def f1(sums: pd.DataFrame) -> pd.Series:
        return 2 * sums["tp"] / (2 * sums["tp"] + sums["fp"] + sums["fn"])

    sums = bootstrap.cluster_sums(rows)
    assert f1(sums.sum().to_frame().T)[0] == pytest.approx(f1_score(label, said))
    weight = pd.DataFrame(bootstrap.weights, columns=bootstrap.clusters)[cluster].to_numpy()
    for weights, found in zip(weight, f1(bootstrap.resampled(sums)), strict=True):
        assert found == pytest.approx(f1_score(label, said, sample_weight=weights))
    with pytest.raises(ValueError, match="other clusters"):
        bootstrap.resampled(sums.iloc[::-1])


@pytest.mark.parametrize("num_levels", [3, 50, 10**9])
def test_auc_is_scikit_learns_of_the_rows_each_resample_drew(
    num_levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(significance, "_CHUNK_CELLS", 1000)
    rng = np.random.default_rng(3)
    cluster, label = rng.integers(20, size=400), rng.integers(2, size=400)
    score = np.round(rng.random(400) * num_levels) / num_levels + label * 0.1
    bootstrap = ClusterBootstrap(cluster, 12, seed=1)
    weight = pd.DataFrame(bootstrap.weights, columns=bootstrap.clusters)[cluster].to_numpy()
    for weights, found in zip(weight, bootstrap.weighted_auc(label, score), strict=True):
        expected = roc_auc_score(label, score, sample_weight=weights)
        assert found == pytest.approx(expected, abs=1e-12)


def test_a_resample_of_one_class_has_no_auc() -> None:
    bootstrap = ClusterBootstrap(list("ab"), 100, seed=1)
    found = bootstrap.weighted_auc([1, 0], [0.9, 0.1])
    assert (np.isnan(found) == (bootstrap.weights == 0).any(axis=1)).all()
    assert np.isnan(bootstrap.weighted_auc([0, 0], [0.9, 0.1])).all()


def test_the_auc_of_resamples_is_right_over_more_levels_and_resamples_than_one_piece_holds() -> (
    None
):
    rng = np.random.default_rng(1)
    cluster, label = rng.integers(40, size=6_000), rng.random(6_000) < 0.7
    score = np.round(rng.random(6_000), 5)  # some tie
    bootstrap = ClusterBootstrap(cluster, 70, seed=1)
    weight = pd.DataFrame(bootstrap.weights, columns=bootstrap.clusters)[cluster].to_numpy()
    found = bootstrap.weighted_auc(label, score)
    for place in (0, 63, 64, 69):
        expected = roc_auc_score(label, score, sample_weight=weight[place])
        assert found[place] == pytest.approx(expected, abs=1e-12)


def test_figures_of_some_rows_and_of_several_at_once_are_those_of_each_alone() -> None:
    rng = np.random.default_rng(1)
    cluster, values = rng.integers(30, size=400), rng.random((3, 400))
    bootstrap = ClusterBootstrap(cluster, 50, seed=1)
    rows = np.flatnonzero(rng.random(400) < 0.3)
    few = np.full((3, 400), np.nan)
    few[:, rows] = values[:, rows]
    at_once = bootstrap.of(rows).means(dict(enumerate(values[:, rows])))
    for number in range(3):
        np.testing.assert_array_equal(at_once[number], bootstrap.mean(few[number]))


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_its_level_and_a_row_bootstrap_does_not() -> None:
    rng = np.random.default_rng(4)
    covered = {"clusters": 0, "rows": 0}
    for _ in range(200):
        cluster, values = clustered(rng, num_clusters=50, rows_each=8)
        for name, groups in (("clusters", cluster), ("rows", np.arange(len(values)))):
            low, high = interval(ClusterBootstrap(groups, 200, seed=1).mean(values))
            covered[name] += low <= 0 <= high
    assert 0.89 <= covered["clusters"] / 200 <= 0.99
    assert covered["rows"] / 200 < 0.8


def test_the_interval_is_as_wide_as_in_theory_and_a_row_bootstraps_too_narrow() -> None:
    cluster, values = clustered(np.random.default_rng(5), num_clusters=300, rows_each=8)
    low, high = interval(ClusterBootstrap(cluster, 2000, seed=1).mean(values))
    of_clusters = values.reshape(300, 8).mean(axis=1)
    assert high - low == pytest.approx(2 * 1.96 * of_clusters.std() / math.sqrt(300), rel=0.08)
    row_low, row_high = interval(ClusterBootstrap(np.arange(2400), 1000, seed=1).mean(values))
    assert high - low > 1.5 * (row_high - row_low)
    narrow_low, narrow_high = interval(ClusterBootstrap(cluster, 2000, seed=1).mean(values), 0.5)
    assert narrow_high - narrow_low < 0.4 * (high - low)


def test_shared_resamples_see_a_small_difference_that_separate_ones_miss() -> None:
    rng = np.random.default_rng(6)
    cluster, a = clustered(rng, num_clusters=100, rows_each=5)
    b = a + 0.05 + 0.1 * rng.normal(size=len(a))
    shared, separate = (ClusterBootstrap(cluster, 999, seed) for seed in (1, 2))
    seen = paired(a.mean(), shared.mean(a), b.mean(), shared.mean(b))
    assert seen.low < seen.delta < seen.high
    assert (seen.delta, seen.p) == (pytest.approx(b.mean() - a.mean()), 2 / 1000)  # never 0
    assert seen.low > 0
    missed = paired(a.mean(), shared.mean(a), b.mean(), separate.mean(b))
    assert missed.p > 0.1
    assert missed.low < 0 < missed.high
    turned = paired(b.mean(), shared.mean(b), a.mean(), shared.mean(a))
    assert (turned.delta, turned.p) == (-seen.delta, seen.p)


def test_p_by_hand() -> None:
    gains = np.array([-1.0] * 4 + [1.0] * 94 + [math.nan])
    # 4 of 98 on the far side: 2 * (4 + 1) / (98 + 1).
    assert paired(0, np.zeros(99), 0.9, gains).p == pytest.approx(10 / 99)
    assert paired(0.5, np.zeros(99), 0.5, np.zeros(99)).p == 1


def test_p_is_small_by_luck_about_as_often_as_its_value() -> None:
    rng = np.random.default_rng(7)
    found = []
    for _ in range(200):
        cluster, values = clustered(rng, num_clusters=50, rows_each=2)
        samples = ClusterBootstrap(cluster, 200, seed=1).mean(values)
        found.append(paired(0, np.zeros(200), values.mean(), samples).p)
    assert 0.005 <= np.mean(np.array(found) <= 0.05) <= 0.11


def test_samples_without_a_value_have_no_interval() -> None:
    with pytest.raises(ValueError, match="no resample"):
        interval([math.nan])


def test_mcnemar_counts_the_rows_that_only_one_has_right() -> None:
    a = np.array([1] * 50 + [1] * 1 + [0] * 9 + [0] * 7)
    b = np.array([1] * 50 + [0] * 1 + [1] * 9 + [0] * 7)
    # 1 of 10 heads or fewer, both sides: 2 * (1 + 10) / 2**10.
    assert mcnemar(a, b) == mcnemar(b, a) == pytest.approx(22 / 1024)
    assert mcnemar(a, a) == 1


def test_the_plan_for_independent_groups_is_the_textbooks() -> None:
    values = np.tile([1.0, -1.0], 50_000)
    # (1.95996 + 0.84162)**2 / 0.1**2 = 784.9
    assert groups_needed(values, np.arange(len(values)), 0.1) == 785
    assert groups_needed(values, np.arange(len(values)), -0.1, power=0.9, level=0.99) == 1488


def test_few_clusters_are_not_taken_for_many() -> None:
    # Two clusters of one group: the variance is the sample's, 2, not the 1 around its mean.
    reach = 1.959964 + 0.841621
    assert detectable([1.0, 3.0], ["a", "b"], 1) == pytest.approx(reach * math.sqrt(2), rel=1e-6)
    assert detectable([1.0, 3.0], ["a", "b"]) == pytest.approx(reach, rel=1e-6)


def test_copies_in_a_cluster_add_nothing() -> None:
    values = np.random.default_rng(8).normal(size=500)
    alone = groups_needed(values, np.arange(500), 0.05)
    copied = groups_needed(np.repeat(values, 4), np.repeat(np.arange(500), 4), 0.05)
    assert copied == pytest.approx(4 * alone, abs=4)


def test_a_plan_keeps_its_promise() -> None:
    rng = np.random.default_rng(9)
    cluster, values = clustered(rng, num_clusters=4000, rows_each=4)
    num_groups = groups_needed(values, cluster, delta=0.25)
    seen = 0
    for _ in range(400):
        _, values = clustered(rng, num_clusters=round(num_groups / 4), rows_each=4)
        of_clusters = (values + 0.25).reshape(-1, 4).mean(axis=1)
        seen += of_clusters.mean() > 1.96 * of_clusters.std() / math.sqrt(len(of_clusters))
    assert 0.74 <= seen / 400 <= 0.86


def test_what_can_be_detected_is_the_plan_turned_around() -> None:
    cluster, values = clustered(np.random.default_rng(10), num_clusters=100, rows_each=3)
    needed = groups_needed(values, cluster, 0.02)
    assert detectable(values, cluster, needed) <= 0.02 < detectable(values, cluster, needed - 1)
    assert detectable(values, cluster) == detectable(values, cluster, len(values))


def test_groups_without_a_figure_do_not_count() -> None:
    cluster, values = clustered(np.random.default_rng(11), num_clusters=100, rows_each=3)
    more = np.append(values, [math.nan] * 50), np.append(cluster, np.arange(50) + 1000)
    assert detectable(*more) == pytest.approx(detectable(values, cluster), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "cluster", "delta", "word"),
    [
        ([1.0, 2.0], ["a", "a"], 0.1, "1 clusters"),
        ([0.5, 0.5], ["a", "b"], 0.1, "vary"),
        ([1.0, 2.0], ["a", "b"], 0.0, "delta"),
        ([1.0, 2.0], ["a", None], 0.1, "a cluster for each"),
        ([math.nan, math.nan], ["a", "b"], 0.1, "0 clusters"),
    ],
)
def test_a_plan_without_a_ground_is_refused(
    values: list[float], cluster: list[str], delta: float, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        groups_needed(values, cluster, delta)


def test_a_bootstrap_of_nothing_is_refused() -> None:
    for cluster, num_resamples in (([], 10), (["a", None], 10), (["a"], 0)):
        with pytest.raises(ValueError, match="expected"):
            ClusterBootstrap(cluster, num_resamples, seed=1)
    with pytest.raises(ValueError, match="labels and scores"):
        ClusterBootstrap(["a", "b"], 10, seed=1).weighted_auc([1, 0], [0.1, math.nan])
    with pytest.raises(ValueError, match="length"):
        ClusterBootstrap(["a", "b"], 10, seed=1).ratio([1.0], [1.0])
