"""The curves of a predictor, few enough points to draw and to keep in Git."""

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from newsrec.metrics.calibration import reliability_curve
from newsrec.metrics.multiclass import apply_temperature
from newsrec.safety.evaluation.unsafe import unsafe_score
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.predictors import codes
from newsrec.safety.tables import PROBABILITIES

NUM_POINTS = 60
UNSAFE = "unsafe"  # beside the classes' names, the curve of the question "unsafe or not"
PR_HEADER = ("class", "recall", "precision")
RELIABILITY_HEADER = ("kind", "mean_probability", "positive_rate", "num_rows")
CONFUSION_HEADER = ("label", "predicted")


def pr_rows(predictions: pd.DataFrame) -> list[tuple[str, float, float]]:
    """`PR_HEADER` of each class against the rest, and of unsafe against benign, recall falling.

    A class that all rows have, or none, has no curve.
    """
    label = predictions["label"]
    curves = {UNSAFE: (label != BENIGN, unsafe_score(predictions))}
    for place, name in enumerate(CLASSES):
        curves[name] = (label == name, predictions[f"p{place}"].to_numpy())
    rows = []
    for name, (of_class, score) in curves.items():
        if of_class.nunique() == 2:
            precision, recall, _ = precision_recall_curve(of_class, score)
            # By recall, so that the many points of the first few rows do not take them all.
            places = np.searchsorted(-recall, -np.linspace(1, 0, NUM_POINTS))
            chosen = np.unique(np.append(places.clip(max=len(recall) - 1), len(recall) - 1))
            rows += [(name, float(recall[at]), float(precision[at])) for at in chosen]
    return rows


def reliability_rows(
    predictions: pd.DataFrame, temperature: float
) -> list[tuple[str, float, float, int]]:
    """`RELIABILITY_HEADER` of the most probable class, raw and calibrated, by bin with rows."""
    raw = predictions[PROBABILITIES].to_numpy()
    rows = []
    for kind, values in (("raw", raw), ("calibrated", apply_temperature(raw, temperature))):
        right = values.argmax(axis=1) == codes(predictions["label"])
        curve = reliability_curve(right, values.max(axis=1).clip(max=1))
        columns = [
            curve[name].tolist() for name in ("mean_probability", "positive_rate", "num_rows")
        ]
        rows += [(kind, *point) for point in zip(*columns, strict=True)]
    return rows


def confusion_rows(predictions: pd.DataFrame) -> list[tuple[str, str]]:
    """`CONFUSION_HEADER` of each row, as the template `confusion` of DVC counts them."""
    predicted = predictions[PROBABILITIES].to_numpy().argmax(axis=1)
    return [*zip(predictions["label"], (CLASSES[place] for place in predicted), strict=True)]
