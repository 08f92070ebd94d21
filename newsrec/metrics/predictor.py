"""All the numbers of one predictor, from its predictions table alone."""

import pandas as pd

from newsrec.metrics.binary import decision_metrics, pooled_auc
from newsrec.metrics.ranking import impression_auc


def measure(predictions: pd.DataFrame, decision: pd.Series) -> dict[str, float]:
    """The metrics of one predictor, under stable keys.

    Args:
        predictions: one row per (impression, candidate) with impression_id, label, score and, of a
            model, answer_mass.
        decision: True, False or NA for each row; NA is an answer that could not be read.

    Returns:
        Finite numbers. A metric that cannot be computed has no key; `num_impressions_without_auc`
        counts the impressions of one class, which have none.
    """
    label, score = predictions["label"], predictions["score"]
    auc = impression_auc(predictions["impression_id"], label, score)
    metrics: dict[str, float] = {}
    if auc.notna().any():
        metrics["auc"] = float(auc.mean())
    pooled = pooled_auc(label, score)
    if pooled is not None:
        metrics["pooled_auc"] = pooled
    metrics |= decision_metrics(label, decision)
    if "answer_mass" in predictions:
        metrics["unparsed_rate"] = float(decision.isna().mean())
        metrics["answer_mass"] = float(predictions["answer_mass"].mean())
    return metrics | {
        "num_impressions": int(predictions["impression_id"].nunique()),
        "num_candidates": len(predictions),
        "num_impressions_without_auc": int(auc.isna().sum()),
    }
