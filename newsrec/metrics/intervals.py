"""Figures with their resamples: the interval of each, and what a predictor gains over another."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from newsrec.metrics.rates import exact_rate
from newsrec.metrics.significance import interval, paired

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
    """The 95 % interval of a share of rows, also where it is 0 or 1.

    Resamples of rows that are all alike have no spread, which would claim certainty. There the
    bounds are exact ones (Clopper and Pearson, 1934), of as many trials as there are clusters: of
    100, up to 0.036 for a share of 0.

    Args:
        rows: 0 or 1, NaN for a row that the share is not of, shape (rows,).
        samples: of their mean.
        num_clusters: of the rows that the share is of.
    """
    values = np.asarray(rows, dtype=np.float64)
    values = values[~np.isnan(values)]
    if values.min() < values.max():
        return interval(samples)
    bounds = exact_rate(num_clusters if values[0] else 0, num_clusters)
    return bounds.low, bounds.high
