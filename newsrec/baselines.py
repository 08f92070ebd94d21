"""Predictors that use no language model; whatever a model scores is to be read beside them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from newsrec.mind.tables import read_behaviors, read_news


def random_scores(num_rows: int, seed: int) -> np.ndarray:
    """Uniform scores from 0 to 1, shape (num_rows,)."""
    return np.random.default_rng(seed).random(num_rows)


def popularity_scores(candidates: pd.DataFrame, train: Path, smoothing: float) -> np.ndarray:
    """The click rate of each candidate in training; of its topic where the article is little known.

    score = (clicks + smoothing * topic_rate) / (views + smoothing), and a topic's rate is drawn to
    the rate of all news in the same way.

    Args:
        candidates: rows with news_id and category.
        train: folder with the news.tsv and behaviors.tsv of the training split; read row by row.
        smoothing: views that the wider rate is worth; above 0.

    Returns:
        Scores from 0 to 1, shape (rows,).
    """
    category_of = {news_id: row.category for news_id, row in read_news(train / "news.tsv").items()}
    views: Counter[str] = Counter()
    clicks: Counter[str] = Counter()
    for impression in read_behaviors(train / "behaviors.tsv"):
        views.update(impression.candidates)
        for news_id, label in zip(impression.candidates, impression.labels or (), strict=True):
            clicks[news_id] += label
    topic_views: Counter[str] = Counter()
    topic_clicks: Counter[str] = Counter()
    for news_id, count in views.items():
        if news_id in category_of:
            topic_views[category_of[news_id]] += count
            topic_clicks[category_of[news_id]] += clicks[news_id]

    overall = clicks.total() / views.total()

    def rate(num_clicks: int, num_views: int, wider: float) -> float:
        return (num_clicks + smoothing * wider) / (num_views + smoothing)

    return np.array(
        [
            rate(
                clicks[news_id],
                views[news_id],
                rate(topic_clicks[category], topic_views[category], overall),
            )
            for news_id, category in zip(candidates["news_id"], candidates["category"], strict=True)
        ]
    )
