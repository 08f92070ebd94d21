"""Metrics of classification decisions among any number of classes."""

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
    """The quality of decisions, over all rows and for each class.

    Attributes:
        accuracy: the share of rows whose prediction equals their label.
        macro_f1: the unweighted mean of the classes' F1.
        per_class: a row for each class in the given order, with precision, recall, f1 and support
            (the number of rows with this label).
        confusion: the number of rows for each label (rows) and prediction (columns), both in the
            order of the classes; int, shape (classes, classes).
    """

    accuracy: float
    macro_f1: float
    per_class: pd.DataFrame
    confusion: npt.NDArray[np.int64]


def classification_metrics(
    label: pd.Series, predicted: pd.Series, classes: Sequence[Hashable]
) -> Classification:
    """Evaluate decisions, some of which may be missing.

    A missing prediction (NA) is never filled in: it counts as wrong for accuracy and for the recall
    of its label, does not affect the precision of any class, and is in no cell of the confusion
    matrix. A ratio whose denominator is 0 is 0.

    Args:
        label: one of the classes, shape (rows,).
        predicted: one of the classes or NA, shape (rows,).
        classes: every class, in the order of the result.

    Raises:
        ValueError: there are no rows, the lengths differ, a class is given twice, or a label or
            prediction is not one of the classes.
    """
    if not len(label) == len(predicted) > 0:
        raise ValueError(
            f"{len(label)} labels but {len(predicted)} predictions; expected one for each, and rows"
        )
    labels, predictions = _codes(label, classes), _codes(predicted, classes)
    if (labels < 0).any() or (predictions[predicted.notna()] < 0).any():
        raise ValueError(f"a label or prediction that is not one of the classes {list(classes)}")
    # Equal rows count as one row with their number as its weight: scikit-learn sorts the rows.
    # A missing prediction is -1, which is not a class.
    width = len(classes) + 1
    counts = np.bincount(labels * width + predictions + 1)
    cells = np.flatnonzero(counts)
    rows = {"y_true": cells // width, "y_pred": cells % width - 1, "sample_weight": counts[cells]}
    places = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        **rows, labels=places, zero_division=0
    )
    return Classification(
        accuracy=float(accuracy_score(**rows)),
        macro_f1=float(np.mean(f1)),
        per_class=pd.DataFrame(
            {"precision": precision, "recall": recall, "f1": f1, "support": support.astype(int)},
            index=pd.Index(list(classes), name="class"),
        ),
        confusion=confusion_matrix(**rows, labels=places),
    )


def pooled_auc(label: pd.Series, score: pd.Series) -> float | None:
    """AUC over all rows as a single list; None if all labels are equal.

    Unlike the mean over groups, it also rewards higher scores in groups with more ones.

    Args:
        label: 1 or 0, shape (rows,).
        score: higher for a 1, shape (rows,).
    """
    if label.nunique() < 2:
        return None
    return float(roc_auc_score(np.asarray(label), np.asarray(score)))


def _codes(values: pd.Series, classes: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """The index of each value among the classes; -1 for a value that is not among them."""
    return pd.Categorical(values, categories=list(classes)).codes.astype(np.intp)
