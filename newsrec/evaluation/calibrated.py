"""A model's probabilities mended for how it was trained, by what the validation set tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from newsrec.evaluation.predictor import intervals, probability_samples
from newsrec.metrics.calibration import (
    apply_temperature,
    brier,
    clipped_logit,
    ece,
    fit_temperature,
    log_loss,
    prior_shift,
)
from newsrec.metrics.significance import ClusterBootstrap


@dataclass(frozen=True)
class Calibration:
    """Fitted on validation rows; to be applied to test rows."""

    train_rate: float
    true_rate: float
    temperature: float

    def apply(self, score: pd.Series) -> np.ndarray:
        """The mended probabilities of raw scores, shape (rows,); their order stays."""
        shifted = prior_shift(score, self.train_rate, self.true_rate)
        return np.asarray(apply_temperature(clipped_logit(shifted), self.temperature))


def click_rate(row_counts: Mapping[str, Any], candidates: str) -> float:
    """The share of clicks among what is scored, between 0 and 1; never of the test.

    Args:
        row_counts: counts of train and val, as metrics/preprocess.json holds them.
        candidates: `all` of an impression are scored, or the `last` one.
    """
    if candidates == "all":
        train = row_counts["train"]
        return float(train["num_clicks_read"] / train["num_candidates_read"])
    # Far above the share among all: an impression of two candidates counts as much as one of 200.
    val = row_counts["val"]
    # One more of each, so that a small val never tells 0 or 1.
    return float((val["num_scored_positives"] + 1) / (val["num_scored"] + 2))


def fit(label: pd.Series, score: pd.Series, train_rate: float, true_rate: float) -> Calibration:
    """Fit the temperature after the correction for the resampled share of clicks in training.

    Args:
        label: of validation rows, shape (rows,).
        score: a model's raw P(Yes) of them, shape (rows,).
        train_rate: the share of clicks among the training samples.
        true_rate: the share of clicks where the probabilities are used, as `click_rate` tells.
    """
    shifted = prior_shift(score, train_rate, true_rate)
    return Calibration(train_rate, true_rate, fit_temperature(label, clipped_logit(shifted)))


def calibrated_figures(
    calibration: Calibration, label: pd.Series, score: pd.Series, bootstrap: ClusterBootstrap
) -> dict[str, float]:
    """Temperature, and losses of the mended probabilities with intervals, under own keys."""
    mended = pd.Series(calibration.apply(score))
    samples = probability_samples(label, mended, bootstrap)
    bounds = intervals({f"{name}_calibrated": drawn for name, drawn in samples.items()})
    return bounds | {
        "temperature": calibration.temperature,
        "log_loss_calibrated": log_loss(label, mended),
        "brier_calibrated": brier(label, mended),
        "ece_calibrated": ece(label, mended),
    }
