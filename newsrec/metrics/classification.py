"""Metrics of a decision on each row, among any number of classes."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)


@dataclass(frozen=True)
class Classification:
    """What decisions are worth, over all rows and for each class.

    Attributes:
        accuracy: the share of rows whose prediction is their label.
        macro_f1: the plain mean of the classes' F1.
        per_class: a row for each class in the order given, with precision, recall, f1 and support
            (how many rows have it as label).
        confusion: how many rows of each label, by row, have each prediction, by column, both in the
            order of the classes; int, shape (classes, classes).
    """

    accuracy: float
    macro_f1: float
    per_class: pd.DataFrame
    confusion: npt.NDArray[np.int64]


def classification_metrics(
    label: pd.Series, predicted: pd.Series, classes: Sequence[Hashable]
) -> Classification:
    """Measure decisions, some of which may be missing.

    A missing prediction (NA) is never guessed: it counts as wrong for accuracy and for the recall
    of its label, for no class's precision, and is in no cell of the confusion matrix. A ratio
    without a denominator is 0.

    Args:
        label: one of the classes, shape (rows,).
        predicted: one of the classes or NA, shape (rows,).
        classes: every class, in the order of the result.

    Raises:
        ValueError: no rows, lengths that differ, a class given twice, or a label or prediction that
            is none of the classes.
    """
    if not len(label) == len(predicted) > 0:
        raise ValueError(
            f"{len(label)} labels but {len(predicted)} predictions; expected one for each, and rows"
        )
    labels, predictions = _codes(label, classes), _codes(predicted, classes)
    if (labels < 0).any() or (predictions[predicted.notna()] < 0).any():
        raise ValueError(f"a label or prediction that is none of the classes {list(classes)}")
    # A missing prediction is -1, which is no class.
    places = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predictions, labels=places, zero_division=0
    )
    return Classification(
        accuracy=float(accuracy_score(labels, predictions)),
        macro_f1=float(np.mean(f1)),
        per_class=pd.DataFrame(
            {"precision": precision, "recall": recall, "f1": f1, "support": support},
            index=pd.Index(list(classes), name="class"),
        ),
        confusion=confusion_matrix(labels, predictions, labels=places),
    )


def pooled_auc(label: pd.Series, score: pd.Series) -> float | None:
    """AUC over all rows as one list; None where all labels are equal.

    Unlike the mean over groups, it also rewards scores that are higher in groups with more ones.

    Args:
        label: 1 or 0, shape (rows,).
        score: higher for a 1, shape (rows,).
    """
    if label.nunique() < 2:
        return None
    return float(roc_auc_score(np.asarray(label), np.asarray(score)))


def _codes(values: pd.Series, classes: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """The place of each value among the classes, -1 for one that is none of them."""
    return pd.Categorical(values, categories=list(classes)).codes.astype(np.intp)
