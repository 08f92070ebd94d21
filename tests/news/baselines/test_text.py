"""TF-IDF and logistic regression."""

from pathlib import Path

import pandas as pd
import pytest

from newsrec.news.baselines import text
from newsrec.news.baselines.text import tfidf_scores
from tests.news.baselines.conftest import mean_auc


def test_titles_are_ranked_clearly_better_than_by_chance(
    mind: Path, candidates: pd.DataFrame
) -> None:
    found = tfidf_scores(candidates, mind / "raw/train", mind / "raw/test", None, seed=1)
    assert mean_auc(candidates, found) > 0.62
    # A probability among 4 others, not only an order.
    assert 0.1 < found.mean() < 0.4


def test_small_batches_give_the_same_scores(
    mind: Path, candidates: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = mind / "raw/train", mind / "raw/test"
    expected = tfidf_scores(candidates, *folders, 50, seed=1)
    monkeypatch.setattr(text, "_BATCH_ROWS", 7)
    assert tfidf_scores(candidates, *folders, 50, seed=1) == pytest.approx(expected)
