"""What a paired test needs of a model that was measured at another commit: sums of each user.

Predictions stay on the machine that made them. These sums name no user, no news and no click, and
give the same resamples as the rows do, so they are in Git with the figures.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from newsrec.metrics.significance import ClusterBootstrap, Difference, paired
from newsrec.news.evaluation.predictor import Measured
from newsrec.news.predictions import KEYS

# The sums by what they are the parts of.
PARTS = {"auc": ("auc_sum", "num_aucs"), "accuracy": ("num_correct", "num_candidates")}


def sums_by_user(measured: Measured, rows: pd.DataFrame) -> dict[str, Any]:
    """The sums of each user, in order of first appearance, and a digest of the rows.

    Args:
        measured: of a model.
        rows: the evaluation set that it was measured on: keys and label.
    """
    first = ~rows["impression_id"].duplicated().to_numpy()
    codes, users = pd.factorize(rows["user_id"])
    assert measured.correct is not None  # a model decides
    has_auc = ~np.isnan(measured.aucs)

    def total(of_row: np.ndarray, weights: np.ndarray | None = None) -> list[float]:
        return [*np.bincount(of_row, weights, minlength=len(users)).tolist()]

    return {
        "rows": _digest(rows),
        "auc_sum": total(codes[first][has_auc], measured.aucs[has_auc]),
        "num_aucs": total(codes[first][has_auc]),
        "num_correct": total(codes[measured.correct]),
        "num_candidates": total(codes),
    }


def paired_gain(
    one: Mapping[str, Any], other: Mapping[str, Any], key: str, num_resamples: int, seed: int
) -> Difference:
    """What `one` gains over `other`, two models measured on the same rows, by one metric.

    Args:
        one: what `sums_by_user` made.
        other: the same of another model.
        key: of `PARTS`.
        num_resamples: see `ClusterBootstrap`.
        seed: of the resamples.
    """
    bootstrap = ClusterBootstrap(range(len(one["num_candidates"])), num_resamples, seed)
    points, samples = [], []
    for sums in (other, one):
        above, below = (np.asarray(sums[name], dtype=float) for name in PARTS[key])
        points.append(above.sum() / below.sum())
        samples.append(bootstrap.ratio(above, below))
    return paired(points[0], samples[0], points[1], samples[1])


def _digest(rows: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for column in (*KEYS, "label"):
        values = rows[column].to_numpy()
        text = values if column in KEYS else values.astype(str).astype(object)
        digest.update("\0".join(text).encode() + b"\n")
    return digest.hexdigest()
