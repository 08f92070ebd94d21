"""Whether a difference is more than luck, and how much data it takes to see one.

Rows of one cluster, such as one user, resemble each other, so clusters are drawn and not rows.
"""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array  # type: ignore[import-untyped, unused-ignore]
from scipy.stats import binomtest, norm  # type: ignore[import-untyped, unused-ignore]

Floats = NDArray[np.float64]
K = TypeVar("K", bound=Hashable)

_CHUNK_CELLS = 2_000_000  # of one array of float64 while resamples are worked on: 16 MB
# Of one piece of `weighted_auc`: what it works on stays in the cache of a core.
_RESAMPLES, _LEVELS = 64, 2_048


class ClusterBootstrap:
    """Resamples of whole clusters (Davison and Hinkley, 1997, section 3.8), drawn once.

    Every statistic of one instance, whatever it is of, is over the same resamples, so their
    differences are paired. The same clusters in the same order, number of resamples and seed give
    the same resamples. Takes a byte for each of both (1,000 of 50,000 clusters: 50 MB).

    Attributes:
        clusters: in order of first appearance, shape (clusters,).
        weights: how often each was drawn, uint8, shape (resamples, clusters).
    """

    def __init__(self, cluster: ArrayLike, num_resamples: int, seed: int) -> None:
        """Draw as many clusters as there are, with replacement, `num_resamples` times.

        Args:
            cluster: the cluster of each row, shape (rows,).
            num_resamples: higher: smoother intervals and smaller p; 1,000 is usual.
            seed: of the draws.

        Raises:
            ValueError: no rows, a row without a cluster, or num_resamples below 1.
        """
        self._codes, self.clusters = _codes(cluster)
        if num_resamples < 1:
            raise ValueError(f"num_resamples is {num_resamples}; expected 1 or more")
        num_clusters = len(self.clusters)
        rng = np.random.default_rng(seed)
        # A byte does: to draw one cluster over 255 times has a chance below 1 in 10**500.
        self.weights = np.empty((num_resamples, num_clusters), dtype=np.uint8)
        for part in self._chunks(num_clusters):
            cells = self.weights[part]
            drawn = rng.integers(num_clusters, size=cells.shape)
            drawn += num_clusters * np.arange(len(cells))[:, None]
            cells[:] = np.bincount(drawn.ravel(), minlength=cells.size).reshape(cells.shape)

    def of(self, rows: NDArray[np.intp]) -> Self:
        """The same resamples, for figures that only the rows at these positions have."""
        part = copy(self)
        part._codes = self._codes[rows]
        return part

    def ratio(self, numerator_rows: ArrayLike, denominator_rows: ArrayLike) -> Floats:
        """Sum of the one over sum of the other in each resample, shape (resamples,).

        A row that is NaN in either counts in neither; a resample whose denominator is 0 is NaN.
        """
        return self.ratios({"": (numerator_rows, denominator_rows)})[""]

    def ratios(self, rows: Mapping[K, tuple[ArrayLike, ArrayLike]]) -> dict[K, Floats]:
        """Several times `ratio`, faster; by the names given."""
        sums = []
        for pair in rows.values():
            above, below = (np.array(values, dtype=np.float64) for values in pair)
            missing = np.isnan(above) | np.isnan(below)
            above[missing] = below[missing] = 0
            sums.append(self.cluster_sums(pd.DataFrame({"above": above, "below": below})))
        return {
            name: np.asarray(drawn["above"] / drawn["below"].replace(0, np.nan), dtype=np.float64)
            for name, drawn in zip(rows, self._drawn(sums), strict=True)
        }

    def mean(self, values: ArrayLike) -> Floats:
        """Mean over the rows that are not NaN in each resample, shape (resamples,)."""
        return self.means({"": values})[""]

    def means(self, rows: Mapping[K, ArrayLike]) -> dict[K, Floats]:
        """Several times `mean`, faster; by the names given."""
        ones = np.ones(len(self._codes))
        return self.ratios({name: (values, ones) for name, values in rows.items()})

    def cluster_sums(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Each column's sum over each cluster's rows: what `resampled` takes.

        Raises:
            ValueError: not as many rows as were given a cluster.
        """
        num = len(self.clusters)
        sums = {
            name: np.bincount(self._codes, weights=values, minlength=num)
            for name, values in rows.items()
        }
        return pd.DataFrame(sums, index=self.clusters)

    def resampled(self, sums: pd.DataFrame) -> pd.DataFrame:
        """Each column's sum in each resample, for a statistic of sums, such as F1 of tp, fp and fn.

        Args:
            sums: a row for each cluster, as `cluster_sums` makes it.

        Raises:
            ValueError: `sums` is not over this bootstrap's clusters in their order.
        """
        if not sums.index.equals(pd.Index(self.clusters)):
            raise ValueError("sums over other clusters; expected those of cluster_sums")
        return self._drawn([sums])[0]

    def _drawn(self, sums: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
        values = [one.to_numpy(dtype=np.float64) for one in sums]
        drawn = [np.empty((len(self.weights), one.shape[1])) for one in values]
        for part in self._chunks(len(self.clusters)):
            weights = self.weights[part].astype(np.float64)  # once for all of them
            for one, target in zip(values, drawn, strict=True):
                # Not one product of all columns: how a sum is rounded depends on their number.
                target[part] = weights @ one
        tables = zip(drawn, sums, strict=True)
        return [pd.DataFrame(one, columns=table.columns) for one, table in tables]

    def weighted_auc(self, label: ArrayLike, score: ArrayLike) -> Floats:
        """AUC over all rows as one list in each resample, shape (resamples,); ties count half.

        Sorts once: between two scores that a 1 has, only how many zeros of each cluster lie there
        matters, and a resample is a sparse product with the clusters' weights and a running sum,
        of whole numbers, so exact. NaN for a resample of one class.

        Raises:
            ValueError: not as many labels and scores as were given a cluster, or a NaN score.
        """
        ones, scores = np.asarray(label, dtype=bool), np.asarray(score, dtype=np.float64)
        if not len(ones) == len(scores) == len(self._codes) or np.isnan(scores).any():
            raise ValueError(f"expected {len(self._codes)} labels and scores, none of them missing")
        levels = np.unique(scores[ones])
        # Each level has two places for zeros: below it, down to the next one, and tied with it.
        level_of = np.searchsorted(levels, scores)
        tied = np.append(levels, np.nan)[level_of] == scores
        num_levels = len(levels) + 1
        ones_at = self._counts(level_of[ones], ones, num_levels)
        zeros_at = self._counts(2 * level_of[~ones] + tied[~ones], ~ones, 2 * num_levels)
        blocks = [slice(at, at + _LEVELS) for at in range(0, num_levels, _LEVELS)]
        counts = [(ones_at[at], zeros_at[2 * at.start : 2 * at.stop]) for at in blocks]
        aucs = []
        for at in range(0, len(self.weights), _RESAMPLES):
            # Whole numbers: 32 bits hold what one level can count.
            drawn = np.ascontiguousarray(self.weights[at : at + _RESAMPLES].T, dtype=np.int32)
            won = np.zeros(drawn.shape[1], dtype=np.float64)
            num_ones, num_zeros = np.zeros((2, drawn.shape[1]), dtype=np.int64)
            for of_ones, of_zeros in counts:
                here = of_ones @ drawn
                below, equal = np.moveaxis((of_zeros @ drawn).reshape(len(here), 2, -1), 1, 0)
                to_here = np.cumsum(below + equal, axis=0, dtype=np.int64) + num_zeros
                won += (here * (to_here - equal / 2)).sum(axis=0)
                num_ones += here.sum(axis=0)
                num_zeros = to_here[-1]
            pairs = (num_ones * num_zeros).astype(np.float64)
            aucs.append(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))
        return np.concatenate(aucs)

    def _counts(
        self, place: NDArray[np.intp], rows: NDArray[np.bool_], num_places: int
    ) -> csr_array:
        """How many of these rows each cluster has at each place, shape (places, clusters)."""
        one = np.ones(len(place), dtype=np.int32)
        return csr_array((one, (place, self._codes[rows])), (num_places, len(self.clusters)))

    def _chunks(self, width: int) -> Iterator[slice]:
        """Ranges of resamples, so many that an array of `width` for each stays small."""
        size = max(1, _CHUNK_CELLS // width)
        for start in range(0, len(self.weights), size):
            yield slice(start, min(start + size, len(self.weights)))


@dataclass(frozen=True)
class Difference:
    """What b gains over a: b's figure minus a's, its interval, and the two-sided p, never 0."""

    delta: float
    low: float
    high: float
    p: float


def interval(samples: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a statistic's resamples, shape (resamples,); NaN ones are left out.

    Raises:
        ValueError: no resample is a number.
    """
    values = np.asarray(samples, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError("no resample has a value; expected one or more")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired(
    point_a: float, samples_a: ArrayLike, point_b: float, samples_b: ArrayLike, level: float = 0.95
) -> Difference:
    """Compare two statistics over the same resamples, those of one `ClusterBootstrap`.

    p is twice the share of resamples at 0 or on its far side, one added to both counts (Davison and
    Hinkley, 1997, section 4.2): at least 2 / (resamples + 1).

    Raises:
        ValueError: no resample has both values, or there are not as many of each.
    """
    gains = np.asarray(samples_b, dtype=np.float64) - np.asarray(samples_a, dtype=np.float64)
    low, high = interval(gains, level)
    far = min(int((gains <= 0).sum()), int((gains >= 0).sum()))
    p = min(1.0, 2 * (far + 1) / (int((~np.isnan(gains)).sum()) + 1))
    return Difference(point_b - point_a, low, high, p)


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Exact two-sided p (McNemar, 1947) that a and b, shape (rows,), are right equally often.

    Takes rows as independent: with rows in clusters it is too sure, and `paired` is to be trusted.
    """
    right_a, right_b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def detectable(
    differences: ArrayLike,
    cluster: ArrayLike,
    num_groups: int | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> float:
    """The smallest mean difference that a number of groups shows with the given power.

    A group is whatever has one figure, such as a query; groups of one cluster, such as a user, may
    resemble each other. (z(level) + z(power)) * spread / sqrt(n), where spread**2 / n is the
    variance of the mean when clusters are independent and their groups are not (Liang and Zeger,
    1986). For n groups of as many more clusters like these; more groups of the same clusters show
    less.

    Args:
        differences: b's figure minus a's of each group, shape (groups,); NaN is left out, so every
            count is of groups that have a figure.
        cluster: of each group, shape (groups,).
        num_groups: n; by default, those given.
        power: the chance to see the difference.
        level: of the two-sided interval that must leave out 0.

    Raises:
        ValueError: there are fewer than two clusters, or the differences do not vary.
    """
    values, codes = np.asarray(differences, dtype=np.float64), _codes(cluster)[0]
    codes, values = codes[~np.isnan(values)], values[~np.isnan(values)]
    num_clusters = len(np.unique(codes))
    if num_clusters < 2 or np.ptp(values) == 0:
        raise ValueError(f"{num_clusters} clusters; expected 2 or more, and figures that vary")
    sums = np.bincount(codes, weights=values - values.mean())
    spread = math.sqrt(np.square(sums).sum() * num_clusters / (num_clusters - 1) / len(values))
    reach = float(norm.ppf((1 + level) / 2) + norm.ppf(power)) * spread
    return reach / math.sqrt(len(values) if num_groups is None else num_groups)


def groups_needed(
    differences: ArrayLike,
    cluster: ArrayLike,
    delta: float,
    power: float = 0.8,
    level: float = 0.95,
) -> int:
    """How many groups show a mean difference of `delta`; the inverse of `detectable`.

    Raises:
        ValueError: as `detectable`, or delta is 0.
    """
    if delta == 0:
        raise ValueError("delta is 0; expected a difference to see")
    return math.ceil((detectable(differences, cluster, 1, power, level) / delta) ** 2)


def _codes(cluster: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.generic]]:
    codes, clusters = pd.factorize(np.asarray(cluster))
    if not len(codes) or (codes < 0).any():
        raise ValueError("expected one or more rows, and a cluster for each")
    return codes, clusters
