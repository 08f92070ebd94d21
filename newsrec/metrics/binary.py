"""Metrics of a yes-or-no decision on each row."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score


def decision_metrics(label: pd.Series, decision: pd.Series) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of decisions, some of which may be missing.

    A missing decision (NA: an answer that was neither yes nor no) is never guessed: it is no true
    or false anything, and counts as wrong for accuracy and recall.

    Args:
        label: 1 or 0, shape (rows,).
        decision: True, False or NA, shape (rows,), of pandas' `boolean` type.

    Returns:
        The metrics and the four counts they come from; a ratio without a denominator is 0, as
        scikit-learn's `zero_division=0`.
    """
    clicked = label.astype(bool)
    said_yes, said_no = decision.fillna(False).astype(bool), (~decision).fillna(False).astype(bool)
    tp, fp = int((said_yes & clicked).sum()), int((said_yes & ~clicked).sum())
    tn, fn = int((said_no & ~clicked).sum()), int((said_no & clicked).sum())
    precision = _ratio(tp, tp + fp)
    recall = _ratio(tp, int(clicked.sum()))
    return {
        "accuracy": _ratio(tp + tn, len(label)),
        "precision": precision,
        "recall": recall,
        "f1": _ratio(2 * precision * recall, precision + recall),
        "tn": tn,
        "fp": fp,
        "fn": fn,
        "tp": tp,
    }


def pooled_auc(label: pd.Series, score: pd.Series) -> float | None:
    """AUC over all rows as one list; None where all labels are equal.

    Not the official metric: it also rewards telling busy impressions from quiet ones.
    """
    if label.nunique() < 2:
        return None
    return float(roc_auc_score(np.asarray(label), np.asarray(score)))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
