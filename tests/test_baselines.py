"""Predictors without a language model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from newsrec.baselines import popularity_scores, random_scores


def test_random_scores_depend_on_the_seed_alone() -> None:
    assert (random_scores(50, 1) == random_scores(50, 1)).all()
    assert not (random_scores(50, 1) == random_scores(50, 2)).any()


def test_popularity_is_the_smoothed_click_rate_backed_off_to_the_topic(tmp_path: Path) -> None:
    (tmp_path / "news.tsv").write_text(
        "N1\tsports\ts\tA\t\tu\t\t\nN2\tsports\ts\tB\t\tu\t\t\nN3\tfood\ts\tC\t\tu\t\t\n"
    )
    time = "11/12/2019 2:14:46 PM"
    (tmp_path / "behaviors.tsv").write_text(
        f"1\tU1\t{time}\t\tN1-1 N3-0\n2\tU2\t{time}\t\tN1-1 N3-0 N2-0\n"
    )
    candidates = pd.DataFrame(
        {"news_id": ["N1", "N3", "N8", "N9"], "category": ["sports", "food", "sports", "new"]}
    )
    found = popularity_scores(candidates, tmp_path, smoothing=2)
    overall = 2 / 5
    sports, food = (2 + 2 * overall) / (3 + 2), (0 + 2 * overall) / (2 + 2)
    expected = [(2 + 2 * sports) / 4, (0 + 2 * food) / 4, sports, overall]
    np.testing.assert_allclose(found, expected)
    assert found[0] == pytest.approx(0.78)
