"""The curves of a predictor, few enough points to draw and to keep in Git."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from newsrec.metrics.calibration import reliability_curve

NUM_POINTS = 200


def roc_points(label: pd.Series, score: pd.Series) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) over all rows as one list, rising from (0, 0)."""
    false_rate, true_rate, _ = roc_curve(label, score)
    chosen = np.unique(np.linspace(0, len(false_rate) - 1, NUM_POINTS).round().astype(int))
    return [(float(false_rate[place]), float(true_rate[place])) for place in chosen]


def reliability_points(label: pd.Series, probability: pd.Series) -> list[tuple[float, float, int]]:
    """(mean probability, click rate, rows) of each bin that has rows."""
    curve = reliability_curve(label, probability)
    columns = [curve[name].tolist() for name in ("mean_probability", "click_rate", "num_rows")]
    return list(zip(*columns, strict=True))
