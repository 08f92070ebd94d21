"""The figures of one predictor, each with its interval, and of one against another.

A figure `x` has the ends of its 95 % interval, from resampled clusters, as `x_low` and `x_high`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from newsrec.metrics import multiclass
from newsrec.metrics.calibration import ece
from newsrec.metrics.classification import classification_metrics
from newsrec.metrics.intervals import gains, intervals
from newsrec.metrics.multiclass import (
    apply_temperature,
    average_precision_samples,
    confusion_samples,
    decision_figures,
    figures_of_confusions,
    fit_temperature,
    one_against_rest,
)
from newsrec.metrics.significance import ClusterBootstrap, mcnemar
from newsrec.safety.evaluation.unsafe import HEADLINE_RATES, rate_key, unsafe_score
from newsrec.safety.labels import CLASSES
from newsrec.safety.predictors import codes
from newsrec.safety.tables import PROBABILITIES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NUM_BINS = 15
NUM_CLASSES = len(CLASSES)
OF_CLASS = ("precision", "recall", "f1")
RANKED = ("roc_auc", "average_precision")
OF_THRESHOLD = {
    "unsafe_recall": "recall",
    "false_positive_rate": "false_positive_rate",
    "precision_at_real_share": "precision_at_real_share",
}
COMPARED = (
    *("macro_f1", "accuracy", "mcc", "macro_average_precision", "unsafe_average_precision"),
    *("unsafe_recall_at_1", "unsafe_recall_at_2", "unsafe_recall_at_5"),
)


@dataclass(frozen=True)
class Measured:
    """What one predictor is worth on the test rows.

    Attributes:
        figures: over all rows, under stable keys.
        classes: of each class its figures, its support and, under `predicted`, its row of the
            confusion matrix.
        samples: of those figures that are compared, the figure of each resample.
        correct: whether each row's most probable class is its label.
    """

    figures: dict[str, float]
    classes: dict[str, dict[str, Any]]
    samples: dict[str, Floats]
    correct: npt.NDArray[np.bool_]


def measure(
    test: pd.DataFrame,
    val: pd.DataFrame,
    thresholds: Mapping[str, Mapping[str, Any]],
    bootstrap: ClusterBootstrap,
) -> Measured:
    """Measure one predictor.

    Args:
        test: its predictions table of the test rows.
        val: the same of the validation rows, which the temperature is fitted on.
        thresholds: what `measure_thresholds` found on the test rows; the figures at these have its
            exact bounds.
        bootstrap: over the clusters of the test rows.
    """
    label, probability = codes(test["label"]), test[PROBABILITIES].to_numpy(dtype=np.float64)
    predicted = probability.argmax(axis=1)
    figures = decision_figures(label, predicted, NUM_CLASSES)
    drawn = figures_of_confusions(confusion_samples(label, predicted, NUM_CLASSES, bootstrap))
    samples = {name: drawn[name] for name in figures}
    decided = classification_metrics(pd.Series(label), pd.Series(predicted), range(NUM_CLASSES))
    classes: dict[str, dict[str, Any]] = {}
    ranked: dict[str, list[Floats]] = {name: [] for name in RANKED}
    for place, name in enumerate(CLASSES):
        of_class = {key: drawn[key][:, place] for key in OF_CLASS}
        values, others = _ranked(label == place, probability[:, place], test["cluster"], bootstrap)
        for key in values:
            ranked[key].append(others[key])
        classes[name] = {
            **{key: float(decided.per_class[key].iloc[place]) for key in OF_CLASS},
            "support": int(decided.per_class["support"].iloc[place]),
            "predicted": dict(zip(CLASSES, decided.confusion[place].tolist(), strict=True)),
            **values,
        }
        classes[name] |= intervals(of_class | others)
    for key in RANKED:
        values_of = [found[key] for found in classes.values() if key in found]
        if values_of:
            figures[f"macro_{key}"] = float(np.mean(values_of))
            samples[f"macro_{key}"] = np.mean(ranked[key], axis=0)
    unsafe, score = label != 0, unsafe_score(test)
    values, others = _ranked(unsafe, score, test["cluster"], bootstrap)
    figures |= {f"unsafe_{key}": value for key, value in values.items()}
    samples |= {f"unsafe_{key}": value for key, value in others.items()}
    of_probability = _calibration(label, probability, val, bootstrap)
    figures |= of_probability[0]
    samples |= of_probability[1]
    figures |= intervals(samples)
    for key in map(rate_key, HEADLINE_RATES):
        found = thresholds[key]
        for name, source in OF_THRESHOLD.items():
            for end in ("", "_low", "_high"):
                figures[f"{name}_{key}{end}"] = found[f"{source}{end}"]
        flagged = unsafe & (score > found["threshold"])
        samples[f"unsafe_recall_{key}"] = bootstrap.ratio(flagged, unsafe)
    figures |= {"num_rows": len(test), "num_clusters": len(bootstrap.clusters)}
    return Measured(figures, classes, samples, label == predicted)


def compare(one: Measured, other: Measured) -> dict[str, dict[str, float]]:
    """What `one` gains over `other`: delta, its 95 % interval and p, from the same resamples.

    `accuracy` has `p_mcnemar` beside it, which takes rows as independent.
    """
    result = gains(one.figures, one.samples, other.figures, other.samples, COMPARED)
    result["accuracy"]["p_mcnemar"] = mcnemar(other.correct, one.correct)
    return result


def compare_tuned(measured: Mapping[str, Measured]) -> dict[str, dict[str, dict[str, float]]]:
    """`tuned_vs_<predictor>` for every other predictor, see `compare`."""
    return {
        f"tuned_vs_{name}": compare(measured["tuned"], found)
        for name, found in measured.items()
        if name != "tuned"
    }


def _ranked(
    is_class: npt.NDArray[np.bool_],
    score: Floats,
    cluster: pd.Series,
    bootstrap: ClusterBootstrap,
) -> tuple[dict[str, float], dict[str, Floats]]:
    """ROC-AUC and average precision with their resamples; both empty without rows of both kinds."""
    found = one_against_rest(is_class, score)
    if found is None:
        return {}, {}
    return found._asdict(), {
        "roc_auc": bootstrap.weighted_auc(is_class, score),
        "average_precision": average_precision_samples(is_class, score, cluster, bootstrap),
    }


def _calibration(
    label: Ints, probability: Floats, val: pd.DataFrame, bootstrap: ClusterBootstrap
) -> tuple[dict[str, float], dict[str, Floats]]:
    """Log loss, and ECE of the most probable class, before and after the temperature."""
    temperature = fit_temperature(codes(val["label"]), val[PROBABILITIES].to_numpy())
    figures: dict[str, float] = {"temperature": temperature}
    samples: dict[str, Floats] = {}
    calibrated = apply_temperature(probability, temperature)
    for end, values in (("", probability), ("_calibrated", calibrated)):
        # Rounding of float32 may bring a certainty above 1.
        right, surest = values.argmax(axis=1) == label, values.max(axis=1).clip(max=1)
        losses = multiclass.log_losses(label, values)
        figures |= {
            f"log_loss{end}": float(losses.mean()),
            f"ece{end}": ece(right, surest, NUM_BINS),
        }
        # No resamples of ECE: their noise adds to it, so an interval need not hold the figure.
        samples[f"log_loss{end}"] = bootstrap.mean(losses)
    return figures, samples
