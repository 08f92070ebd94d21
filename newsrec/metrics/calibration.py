"""How reliable predicted probabilities of a 1 are, and how to calibrate them.

Every figure is finite: a probability is clipped to [eps, 1 - eps], eps = 2.2e-16 (that of float64),
before its logarithm or odds are taken, so a certain but wrong prediction costs 36 nats and not
infinity.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped, unused-ignore]
from scipy.special import expit  # type: ignore[import-untyped, unused-ignore]
from sklearn import metrics

Floats = npt.NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_TEMPERATURES = (0.01, 100.0)  # outside this range, every probability is close to 0, 1 or 0.5


def log_loss(label: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Mean negative log-likelihood of the labels, in nats; lower is better.

    Args:
        label: 1 or 0, shape (rows,).
        probability: predicted probability of a 1, shape (rows,).

    Raises:
        ValueError: there are no rows, the lengths differ, a label is neither 0 nor 1, or a
            probability is outside [0, 1].
    """
    labels, probabilities = _checked(label, probability)
    # The labels are given, as those of a small set may all be equal.
    return float(metrics.log_loss(labels, probabilities, labels=[0, 1]))


def brier(label: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Mean squared difference of probability and label (Brier, 1950), from 0 (best) to 1.

    Args and Raises: as `log_loss`.
    """
    labels, probabilities = _checked(label, probability)
    return float(metrics.brier_score_loss(labels, probabilities, pos_label=1))


def ece(label: npt.ArrayLike, probability: npt.ArrayLike, num_bins: int = 15) -> float:
    """Expected calibration error over bins of equal width (Naeini et al., 2015), from 0 to 1.

    The mean over rows of the difference between the mean probability and the share of ones in the
    row's bin.

    Args:
        label: 1 or 0, shape (rows,).
        probability: predicted probability of a 1, shape (rows,).
        num_bins: number of bins in [0, 1]; more bins resolve more, but are noisier.

    Raises:
        ValueError: as `log_loss`, or num_bins is below 1.
    """
    curve = reliability_curve(label, probability, num_bins)
    error = (curve["mean_probability"] - curve["positive_rate"]).abs()
    return float(np.average(error, weights=curve["num_rows"]))


def reliability_curve(
    label: npt.ArrayLike, probability: npt.ArrayLike, num_bins: int = 15
) -> pd.DataFrame:
    """Mean probability and share of ones for bins of equal width; empty bins are omitted.

    A bin contains bin_low <= probability < bin_high, and the last bin also probability 1.

    Args and Raises: as `ece`.

    Returns:
        bin_low, bin_high, mean_probability, positive_rate (the share of ones) and num_rows, by
        increasing probability.
    """
    labels, probabilities = _checked(label, probability)
    if num_bins < 1:
        raise ValueError(f"num_bins is {num_bins}; expected 1 or more")
    edges = np.arange(num_bins + 1) / num_bins
    bins = np.searchsorted(edges[1:-1], probabilities, side="right")
    num_rows = np.bincount(bins, minlength=num_bins)
    used = np.flatnonzero(num_rows)
    rows = num_rows[used]
    return pd.DataFrame(
        {
            "bin_low": edges[used],
            "bin_high": edges[used + 1],
            "mean_probability": np.bincount(bins, weights=probabilities)[used] / rows,
            "positive_rate": np.bincount(bins, weights=labels)[used] / rows,
            "num_rows": rows,
        }
    )


def prior_shift(probability: npt.ArrayLike, train_rate: float, true_rate: float) -> Floats:
    """Correct probabilities of a model that was trained on a resampled share of ones.

    Multiplies the odds by odds(true_rate) / odds(train_rate) (Elkan, 2001; Saerens et al., 2002),
    which is exact if rows were dropped or repeated only depending on their label. The order is
    kept, so ranking metrics do not change; 0 and 1 are unchanged.

    Args:
        probability: probability of a 1 from a model trained at `train_rate`, shape (rows,).
        train_rate: the share of ones among the training rows.
        true_rate: the share of ones where the probability is used.

    Raises:
        ValueError: a rate is outside (0, 1), or a probability is outside [0, 1].
    """
    for name, rate in (("train_rate", train_rate), ("true_rate", true_rate)):
        if not 0 < rate < 1:
            raise ValueError(f"{name} is {rate}; expected a number between 0 and 1")
    probabilities = _checked_probability(probability)
    ones = probabilities * (true_rate / train_rate)
    zeros = (1 - probabilities) * ((1 - true_rate) / (1 - train_rate))
    return ones / (ones + zeros)


def clipped_logit(probability: npt.ArrayLike) -> Floats:
    """log(p / (1 - p)), shape (rows,); at most 36.04 in size, as the probability is clipped.

    Raises:
        ValueError: a probability is outside [0, 1].
    """
    probabilities = np.clip(_checked_probability(probability), _EPS, 1 - _EPS)
    return np.asarray(np.log(probabilities) - np.log1p(-probabilities), dtype=np.float64)


def fit_temperature(label: npt.ArrayLike, logit: npt.ArrayLike) -> float:
    """The temperature with which the logits fit the labels best (Guo et al., 2017).

    Minimises the mean negative log-likelihood, which has a single minimum. Fit it on validation
    rows and apply it to other rows. It has no offset: correct a resampled share of ones first,
    with `prior_shift`.

    Args:
        label: 1 or 0, shape (rows,).
        logit: log-odds of a 1, shape (rows,), such as log p - log (1 - p).

    Returns:
        Above 1 if the logits were overconfident; from 0.01 to 100. Logits that separate the rows
        perfectly have no best temperature and give about 0.01; uninformative logits about 100.

    Raises:
        ValueError: there are no rows, the lengths differ, a label is neither 0 nor 1, or a logit
            is not finite.
    """
    logits = _checked_logit(logit)
    labels, _ = _checked(label, expit(logits))
    signed = np.where(labels == 1, logits, -logits)

    def loss(log_temperature: float) -> float:
        # -log sigmoid(z), without overflow.
        return float(np.logaddexp(0, -signed * np.exp(-log_temperature)).mean())

    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def apply_temperature(logit: npt.ArrayLike, temperature: float) -> Floats:
    """Probabilities of a 1 after dividing the logits by the temperature, shape (rows,).

    Raises:
        ValueError: the temperature is not above 0, or a logit is not finite.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature is {temperature}; expected a finite number above 0")
    return np.asarray(expit(_checked_logit(logit) / temperature), dtype=np.float64)


def _checked(label: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Floats, Floats]:
    labels = np.asarray(label, dtype=np.float64)
    probabilities = _checked_probability(probability)
    if labels.shape != probabilities.shape:
        raise ValueError(f"{labels.shape} labels but {probabilities.shape} probabilities")
    if not len(labels):
        raise ValueError("no rows; expected one or more")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("a label that is neither 0 nor 1")
    return labels, probabilities


def _checked_probability(probability: npt.ArrayLike) -> Floats:
    probabilities = np.asarray(probability, dtype=np.float64)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability that is missing or outside [0, 1]")
    return probabilities


def _checked_logit(logit: npt.ArrayLike) -> Floats:
    logits = np.asarray(logit, dtype=np.float64)
    if not np.isfinite(logits).all():
        raise ValueError("a logit that is missing or infinite; clip its probability first")
    return logits
