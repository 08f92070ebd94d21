"""Metrics of probabilities over several classes, and of decisions for the most probable class.

`label` is the index of each row's class, int, shape (rows,). `probability` has a column for each
class, in order, float, shape (rows, classes); its rows sum to 1.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped, unused-ignore]
from scipy.special import log_softmax, softmax  # type: ignore[import-untyped, unused-ignore]
from sklearn.metrics import (
    average_precision_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

from newsrec.metrics.significance import ClusterBootstrap

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_EPS = float(np.finfo(np.float64).eps)
_TEMPERATURES = (0.01, 100.0)  # outside this range, every probability is certain or uniform
_SUM_TOLERANCE = 1e-4  # for rows of probabilities that were computed in float32
_CHUNK_CELLS = 2_000_000  # per float64 array while resamples are processed: 16 MB


class Ranked(NamedTuple):
    """How well a class's probability ranks its rows above the others."""

    roc_auc: float
    average_precision: float


def checked(label: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Ints, Floats]:
    """Labels and probabilities as arrays.

    Raises:
        ValueError: there are no rows, the lengths differ, a label has no column, or a row is not a
            probability distribution.
    """
    labels = np.asarray(label, dtype=np.int64)
    probabilities = np.asarray(probability, dtype=np.float64)
    if probabilities.ndim != 2 or not len(labels) == len(probabilities) > 0:
        raise ValueError(f"{labels.shape} labels but {probabilities.shape} probabilities")
    if not ((labels >= 0) & (labels < probabilities.shape[1])).all():
        raise ValueError(f"a label outside 0 to {probabilities.shape[1] - 1}")
    sums = probabilities.sum(axis=1)
    if not ((probabilities >= 0).all() and (np.abs(sums - 1) <= _SUM_TOLERANCE).all()):
        raise ValueError("a row of probabilities that is missing, negative or does not sum to 1")
    return labels, probabilities


def decision_figures(
    label: npt.ArrayLike, predicted: npt.ArrayLike, num_classes: int
) -> dict[str, float]:
    """Accuracy, MCC, and macro and weighted means of precision, recall and F1, by scikit-learn.

    MCC is the multiclass version (Gorodkin, 2004): 0 for guessing, 1 for no mistakes. A ratio whose
    denominator is 0 is 0; a class with neither rows nor predictions also counts as 0.

    Args:
        label: see the module.
        predicted: the index of the predicted class, int, shape (rows,).
        num_classes: number of all classes, including classes without rows.
    """
    labels, decided = np.asarray(label), np.asarray(predicted)
    found: dict[str, float] = {
        "accuracy": float((labels == decided).mean()),
        "mcc": float(matthews_corrcoef(labels, decided)),
    }
    for average in ("macro", "weighted"):
        values = precision_recall_fscore_support(
            labels, decided, labels=range(num_classes), average=average, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), values, strict=False):
            found[f"{average}_{name}"] = float(value)
    return found


def confusion_samples(
    label: npt.ArrayLike, predicted: npt.ArrayLike, num_classes: int, bootstrap: ClusterBootstrap
) -> Floats:
    """The confusion matrix of each resample, labels in rows, shape (resamples, classes, classes).

    Args:
        label: see the module.
        predicted: the index of the predicted class, int, shape (rows,).
        num_classes: number of all classes.
        bootstrap: over the clusters of these rows.
    """
    cell = np.asarray(label) * num_classes + np.asarray(predicted)
    one_hot = {place: cell == place for place in range(num_classes**2)}
    drawn = bootstrap.resampled(bootstrap.cluster_sums(pd.DataFrame(one_hot).astype(float)))
    return drawn.to_numpy().reshape(-1, num_classes, num_classes)


def figures_of_confusions(confusion: npt.NDArray[np.float64]) -> dict[str, Floats]:
    """`decision_figures` for many confusion matrices at once, each of shape (matrices,).

    Also returns `precision`, `recall` and `f1` of each class, shape (matrices, classes).

    Args:
        confusion: counts, labels in rows, shape (matrices, classes, classes).
    """
    right = np.diagonal(confusion, axis1=1, axis2=2)
    of_label, of_prediction = confusion.sum(axis=2), confusion.sum(axis=1)
    total = of_label.sum(axis=1)
    of_class = {
        "precision": _ratio(right, of_prediction),
        "recall": _ratio(right, of_label),
        "f1": _ratio(2 * right, of_prediction + of_label),
    }
    covariance = right.sum(axis=1) * total - (of_label * of_prediction).sum(axis=1)
    spread = (total**2 - (of_label**2).sum(axis=1)) * (total**2 - (of_prediction**2).sum(axis=1))
    found = {"accuracy": right.sum(axis=1) / total, "mcc": _ratio(covariance, np.sqrt(spread))}
    for name, values in of_class.items():
        found[f"macro_{name}"] = values.mean(axis=1)
        found[f"weighted_{name}"] = (values * of_label).sum(axis=1) / total
    return found | of_class


def one_against_rest(is_class: npt.ArrayLike, score: npt.ArrayLike) -> Ranked | None:
    """ROC-AUC and average precision of one class against all others, by scikit-learn.

    None if all rows or no rows belong to the class.

    Args:
        is_class: whether the row belongs to the class, shape (rows,).
        score: the class's probability, shape (rows,).
    """
    ones = np.asarray(is_class, dtype=bool)
    if ones.all() or not ones.any():
        return None
    return Ranked(float(roc_auc_score(ones, score)), float(average_precision_score(ones, score)))


def average_precision_samples(
    is_class: npt.ArrayLike,
    score: npt.ArrayLike,
    cluster: npt.ArrayLike,
    bootstrap: ClusterBootstrap,
) -> Floats:
    """Average precision in each resample, shape (resamples,); NaN if it lacks the class.

    Args:
        is_class: whether the row belongs to the class, shape (rows,).
        score: the class's probability, shape (rows,).
        cluster: the cluster of each row, which the bootstrap must know, shape (rows,).
        bootstrap: over the clusters of the rows.
    """
    ones, scores = np.asarray(is_class, dtype=bool), np.asarray(score, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    of_row = pd.Index(bootstrap.clusters).get_indexer(pd.Index(np.asarray(cluster)))[order]
    ones = ones[order]
    # All rows with the same score are taken together; these are the ends of such blocks.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = []
    size = max(1, _CHUNK_CELLS // len(scores))
    for start in range(0, len(bootstrap.weights), size):
        drawn = bootstrap.weights[start : start + size, of_row].astype(np.float64)
        taken = np.cumsum(drawn, axis=1)[:, ends]
        right = np.cumsum(drawn * ones, axis=1)[:, ends]
        gained = np.diff(right, axis=1, prepend=0)
        total = np.where(right[:, -1] > 0, right[:, -1], np.nan)
        found.append((gained * _ratio(right, taken)).sum(axis=1) / total)
    return np.concatenate(found)


def log_losses(label: npt.ArrayLike, probability: npt.ArrayLike) -> Floats:
    """Negative log-likelihood of each row's label, in nats; a probability is at least 2.2e-16.

    Raises:
        ValueError: see `checked`.
    """
    labels, probabilities = checked(label, probability)
    of_label = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(of_label, _EPS, 1)), dtype=np.float64)


def fit_temperature(label: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """The temperature with which the softmax fits the labels best (Guo et al., 2017).

    Minimises the mean negative log-likelihood of softmax(log p / T). Fit it on validation rows and
    apply it to other rows. It is above 1 if the probabilities were overconfident, and from 0.01 to
    100.

    Raises:
        ValueError: see `checked`.
    """
    labels, probabilities = checked(label, probability)
    logits = np.log(np.clip(probabilities, _EPS, 1))
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits * np.exp(-log_temperature), axis=1)
        return float(-scaled[rows, labels].mean())

    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def apply_temperature(probability: npt.ArrayLike, temperature: float) -> Floats:
    """softmax(log p / T), shape (rows, classes); the order of a row's classes does not change.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature is {temperature}; expected a finite number above 0")
    logits = np.log(np.clip(np.asarray(probability, dtype=np.float64), _EPS, 1))
    return np.asarray(softmax(logits / temperature, axis=1), dtype=np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    """`above / below`, and 0 where the denominator is 0."""
    return np.divide(above, below, out=np.zeros(np.shape(above)), where=np.asarray(below) > 0)
