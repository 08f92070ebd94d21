"""The curves of a predictor, few enough points to draw and to keep in Git."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from newsrec.metrics.calibration import reliability_curve
from newsrec.news.evaluation.calibrated import Calibration

NUM_POINTS = 200
ROC_HEADER = ("false_positive_rate", "true_positive_rate")
RELIABILITY_HEADER = ("kind", "mean_probability", "click_rate", "num_rows")


def roc_rows(predictions: pd.DataFrame) -> list[tuple[float, float]]:
    """`ROC_HEADER` over all rows as one list, rising from (0, 0); empty for rows of one class."""
    label = predictions["label"]
    if label.nunique() < 2:
        return []
    false_rate, true_rate, _ = roc_curve(label, predictions["score"])
    chosen = np.unique(np.linspace(0, len(false_rate) - 1, NUM_POINTS).round().astype(int))
    return [(float(false_rate[place]), float(true_rate[place])) for place in chosen]


def reliability_rows(
    predictions: pd.DataFrame, calibration: Calibration
) -> list[tuple[str, float, float, int]]:
    """`RELIABILITY_HEADER` of each bin that has rows, raw and calibrated."""
    kinds = {
        "raw": predictions["score"],
        "calibrated": pd.Series(calibration.apply(predictions["score"])),
    }
    rows = []
    for kind, probability in kinds.items():
        curve = reliability_curve(predictions["label"], probability)
        columns = [
            curve[name].tolist() for name in ("mean_probability", "positive_rate", "num_rows")
        ]
        rows += [(kind, *point) for point in zip(*columns, strict=True)]
    return rows
