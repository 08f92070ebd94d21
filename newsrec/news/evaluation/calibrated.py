"""A model's probabilities calibrated on the validation set, after how it was trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from newsrec.metrics.calibration import (
    apply_temperature,
    brier,
    clipped_logit,
    ece,
    fit_temperature,
    log_loss,
    prior_shift,
)
from newsrec.metrics.intervals import intervals
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.news.evaluation.predictor import probability_samples


@dataclass(frozen=True)
class Calibration:
    """Fitted on validation rows; to be applied to test rows."""

    train_rate: float
    true_rate: float
    temperature: float

    def apply(self, score: pd.Series) -> np.ndarray:
        """The calibrated probabilities of raw scores, shape (rows,); their order stays."""
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
    # One more of each, so that a small val never gives 0 or 1.
    return float((val["num_scored_positives"] + 1) / (val["num_scored"] + 2))


def fit(label: pd.Series, score: pd.Series, train_rate: float, true_rate: float) -> Calibration:
    """Fit the temperature after the correction for the resampled share of clicks in training.

    Args:
        label: of validation rows, shape (rows,).
        score: a model's raw P(Yes) of them, shape (rows,).
        train_rate: the share of clicks among the training samples.
        true_rate: the share of clicks where the probabilities are used, see `click_rate`.
    """
    shifted = prior_shift(score, train_rate, true_rate)
    return Calibration(train_rate, true_rate, fit_temperature(label, clipped_logit(shifted)))


def fit_model(name: str, validation: pd.DataFrame, row_counts: Mapping[str, Any]) -> Calibration:
    """Fit the calibration of base or tuned on its predictions of the validation set.

    Args:
        name: base or tuned: the base was never trained at the samples' share of clicks, so there
            is no shift to correct.
        validation: predictions table.
        row_counts: what metrics/preprocess.json holds.
    """
    true_rate = click_rate(row_counts, row_counts["protocol"]["candidates"])
    train = row_counts["train"]
    tuned_rate = train["num_positives"] / train["num_samples"]
    return fit(
        validation["label"],
        validation["score"],
        train_rate=tuned_rate if name == "tuned" else true_rate,
        true_rate=true_rate,
    )


def calibrated_figures(
    calibration: Calibration, predictions: pd.DataFrame, bootstrap: ClusterBootstrap
) -> dict[str, float]:
    """Temperature, and losses of the calibrated probabilities with intervals, under own keys."""
    label, calibrated = predictions["label"], pd.Series(calibration.apply(predictions["score"]))
    samples = probability_samples(label, calibrated, bootstrap)
    bounds = intervals({f"{name}_calibrated": drawn for name, drawn in samples.items()})
    return bounds | {
        "temperature": calibration.temperature,
        "log_loss_calibrated": log_loss(label, calibrated),
        "brier_calibrated": brier(label, calibrated),
        "ece_calibrated": ece(label, calibrated),
    }
