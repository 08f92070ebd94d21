"""Figures with their resamples: the interval of each, and what a predictor gains over another."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from newsrec.metrics.rates import exact_rate, upper_bound
from newsrec.metrics.significance import Difference, interval, paired

Samples = npt.NDArray[np.float64]  # the figure of each resample, shape (resamples,)


def intervals(samples: Mapping[str, Samples]) -> dict[str, float]:
    """The 95 % interval of each figure as `<name>_low` and `<name>_high`."""
    return {
        f"{name}_{bound}": value
        for name, drawn in samples.items()
        for bound, value in zip(("low", "high"), interval(drawn), strict=True)
    }


def gains(
    figures: Mapping[str, float],
    samples: Mapping[str, Samples],
    over_figures: Mapping[str, float],
    over_samples: Mapping[str, Samples],
    names: Iterable[str],
) -> dict[str, dict[str, float]]:
    """What one predictor gains over another: delta, its 95 % interval (low, high) and p.

    Args:
        figures: of the one.
        samples: of the same resamples for both, which makes the differences paired.
        over_figures: of the other.
        over_samples: of the other.
        names: of the figures to compare; one that either lacks is left out.
    """
    return {
        name: asdict(paired(over_figures[name], over_samples[name], figures[name], samples[name]))
        for name in names
        if name in figures and name in over_figures
    }


def share_interval(rows: npt.ArrayLike, samples: Samples, num_clusters: int) -> tuple[float, float]:
    """The 95 % interval of a share of rows, also where it is 0, 1 or near to them.

    Resamples of a rare event have too little spread, and those of none have no spread at all. So
    the bounds are exact ones (Clopper and Pearson, 1934), of the effective number of trials (Korn
    and Graubard, 1998): as many as independent rows would need for the variance that the resamples
    show, and never more than there are clusters. Of 100 clusters, up to 0.036 for a share of 0.

    Args:
        rows: 0 or 1, NaN for a row that the share is not of, shape (rows,).
        samples: of their mean.
        num_clusters: of the rows that the share is of.
    """
    share = float(np.nanmean(np.asarray(rows, dtype=np.float64)))
    variance, num_trials = float(np.nanvar(samples)), float(num_clusters)
    if 0 < share < 1 and variance > 0:
        num_trials = min(num_trials, share * (1 - share) / variance)
    bounds = exact_rate(share * num_trials, num_trials)
    return bounds.low, bounds.high


def unseen_share(num_clusters: int) -> float:
    """The largest share of all clusters that may be like none of these, at a confidence of 97.5 %.

    The exact upper bound of no event in so many trials (Clopper and Pearson, 1934).

    Args:
        num_clusters: at hand, 1 or more.
    """
    return upper_bound(0, num_clusters, 0.975)


def mean_interval(
    value: float, samples: Samples, bounds: tuple[float, float], unseen: float
) -> tuple[float, float]:
    """The 95 % interval of a mean of bounded values, also where they are few or do not vary.

    That of its resamples, and never narrower than if `unseen` of all clusters had values at the
    one bound, or at the other: resamples show nothing of clusters that are not at hand.

    Args:
        value: the mean.
        samples: of it.
        bounds: the least and the largest value that a row can have.
        unseen: see `unseen_share`.
    """
    (low, high), (least, most) = interval(samples), bounds
    return min(low, value - unseen * (value - least)), max(high, value + unseen * (most - value))


def careful_gain(found: Difference, top: float, unseen: float, num_changed: int) -> Difference:
    """A difference of two means by resamples, no surer than an exact test of so few clusters is.

    Its interval is never narrower than `mean_interval` would have it. p is never smaller, and 0 is
    never left out, where the sign test of the clusters that differ, all in one direction, would not
    reject: with fewer than six its p is above 0.05.

    Args:
        found: by `newsrec.metrics.significance.paired`.
        top: the largest value of either mean, whose least is 0.
        unseen: see `unseen_share`.
        num_changed: clusters with a difference.
    """
    low = min(found.low, found.delta - unseen * (found.delta + top))
    high = max(found.high, found.delta + unseen * (top - found.delta))
    sign_p = min(1.0, 2.0 ** (1 - num_changed))
    if sign_p > 0.05:
        low, high = min(low, 0.0), max(high, 0.0)
    return Difference(found.delta, low, high, max(found.p, sign_p))
