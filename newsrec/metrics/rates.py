"""Rates of rare events: exact bounds, thresholds for a given rate, and precision elsewhere."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv  # type: ignore[import-untyped, unused-ignore]


class Rate(NamedTuple):
    """A share of independent trials with its exact interval."""

    value: float
    low: float
    high: float


def exact_rate(num_events: float, num_trials: float, level: float = 0.95) -> Rate:
    """A share and its two-sided interval by Clopper and Pearson (1934), which is conservative.

    The trials are assumed to be independent; if rows are clustered, also resample the clusters.

    Args:
        num_events: from 0 to num_trials.
        num_trials: above 0; an effective number need not be an integer (Korn and Graubard, 1998).
        level: the level of the interval.

    Raises:
        ValueError: there are no trials, or more events than trials.
    """
    high = upper_bound(num_events, num_trials, (1 + level) / 2)
    tail = (1 - level) / 2
    # Quantiles of beta distributions; `scipy.stats.binomtest` searches for the same numbers.
    low = betaincinv(num_events, num_trials - num_events + 1, tail) if num_events else 0.0
    return Rate(num_events / num_trials, float(low), high)


def trials_to_prove(rate: float, level: float = 0.95, num_events: int = 0) -> int:
    """The number of trials needed for a one-sided exact upper bound of at most `rate`.

    Without an event, 299 trials are needed for 1 % (Hanley and Lippman-Hand, 1983: about 3 / rate).

    Args:
        rate: the rate that the bound must not exceed, between 0 and 1.
        level: the level of the one-sided bound.
        num_events: the number of events in those trials.

    Raises:
        ValueError: rate or level is outside (0, 1), or the number of events is negative.
    """
    if not (0 < rate < 1 and 0 < level < 1 and num_events >= 0):
        raise ValueError(f"rate {rate}, level {level}, {num_events} events; expected (0, 1) and 0+")
    if num_events == 0:
        return math.ceil(math.log(1 - level) / math.log(1 - rate))
    low, high = num_events + 1, num_events + 2
    while upper_bound(num_events, high, level) > rate:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if upper_bound(num_events, middle, level) > rate:
            low = middle + 1
        else:
            high = middle
    return low


def threshold_at(negative_score: npt.ArrayLike, rate: float) -> float:
    """The lowest threshold that at most the share `rate` of the negatives exceeds.

    A row is flagged if its score is above the threshold, not equal to it. Tied negatives are
    therefore flagged together or not at all, and the threshold is always one of the scores and
    hence finite. Choose it on rows that are not used in the evaluation.

    Args:
        negative_score: the scores of rows that should not be flagged, shape (rows,).
        rate: from 0 to below 1.

    Raises:
        ValueError: there are no rows, a score is not finite, or the rate is outside [0, 1).
    """
    scores = np.sort(np.asarray(negative_score, dtype=np.float64))[::-1]
    if not len(scores) or not np.isfinite(scores).all() or not 0 <= rate < 1:
        raise ValueError(f"{len(scores)} scores, rate {rate}; expected finite scores and [0, 1)")
    # A share of 0.01 of 300 rows is 3 rows: rounding errors must not make it 2.
    allowed = math.floor(rate * len(scores) + 1e-9)
    return float(scores[allowed])


def precision_at_share(
    recall: npt.ArrayLike, false_positive_rate: npt.ArrayLike, positive_share: float
) -> npt.NDArray[np.float64]:
    """The precision if positives have a given share of all rows.

    The precision on a sample with balanced classes does not apply to a real stream of texts. Recall
    and the false positive rate do not depend on the balance, and give the precision for any share
    of positives (Bayes' theorem).

    Args:
        recall: the share of positives that are flagged, any shape.
        false_positive_rate: the share of negatives that are flagged, the same shape.
        positive_share: the share of positives among all rows where the classifier is used.

    Returns:
        The same shape; 0 where nothing is flagged.

    Raises:
        ValueError: positive_share is outside [0, 1].
    """
    if not 0 <= positive_share <= 1:
        raise ValueError(f"the share of positives is {positive_share}; expected 0 to 1")
    right = positive_share * np.asarray(recall, dtype=np.float64)
    wrong = (1 - positive_share) * np.asarray(false_positive_rate, dtype=np.float64)
    flagged = right + wrong
    return np.divide(right, flagged, out=np.zeros(flagged.shape), where=flagged != 0)


def upper_bound(num_events: float, num_trials: float, level: float = 0.95) -> float:
    """The one-sided exact upper bound of a share (Clopper and Pearson, 1934).

    Raises:
        ValueError: there are no trials, or more events than trials.
    """
    if not 0 <= num_events <= num_trials > 0:
        raise ValueError(f"{num_events} events in {num_trials} trials; expected trials")
    if num_events == num_trials:
        return 1.0
    return float(betaincinv(num_events + 1, num_trials - num_events, level))
