"""Ranking metrics per impression, vectorised over a whole evaluation set."""

import numpy as np
import pandas as pd


def impression_auc(impression: pd.Series, label: pd.Series, score: pd.Series) -> pd.Series:
    """Area under the ROC curve of each impression; a tied pair counts half.

    As MIND's official scorer, which takes scikit-learn's `roc_auc_score` per impression; computed
    from mid-ranks (Mann and Whitney, 1947): (sum of the clicks' ranks - n(n+1)/2) / (n m).

    Args:
        impression: the impression of each row, shape (rows,).
        label: 1 for a click, 0 for none, shape (rows,).
        score: higher is more likely clicked, shape (rows,).

    Returns:
        AUC by impression; NaN for an impression whose labels are all equal, which has none.
    """
    frame = pd.DataFrame({"impression": impression, "label": label.astype(float), "score": score})
    groups = frame.groupby("impression", sort=False)
    frame["click_rank"] = groups["score"].rank(method="average") * frame["label"]
    sums = frame.groupby("impression", sort=False)[["click_rank", "label"]].sum()
    num_clicks = sums["label"]
    num_others = groups.size() - num_clicks
    wins = sums["click_rank"] - num_clicks * (num_clicks + 1) / 2
    return wins / (num_clicks * num_others).replace(0, np.nan)
