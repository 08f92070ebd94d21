"""Chance and popularity."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from newsrec.news.baselines import simple
from newsrec.news.baselines.simple import popularity_scores, random_scores
from newsrec.news.mind.tables import read_behaviors, read_news


def asked(*rows: tuple[str, str, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["news_id", "category", "time"])
    return table.assign(time=pd.to_datetime(table["time"]).astype("datetime64[ms]"))


def write_train(folder: Path, *impressions: tuple[str, str]) -> Path:
    """Three known articles and rows of (time, shown)."""
    (folder / "news.tsv").write_text(
        "N1\tsports\ts\tA\t\tu\t\t\nN2\tsports\ts\tB\t\tu\t\t\nN3\tfood\ts\tC\t\tu\t\t\n"
    )
    rows = [f"{row}\tU1\t{time}\t\t{shown}\n" for row, (time, shown) in enumerate(impressions)]
    (folder / "behaviors.tsv").write_text("".join(rows))
    return folder


def test_random_scores_depend_on_the_seed_alone() -> None:
    assert (random_scores(50, 1) == random_scores(50, 1)).all()
    assert not (random_scores(50, 1) == random_scores(50, 2)).any()


def test_popularity_is_the_smoothed_click_rate_backed_off_to_the_topic(tmp_path: Path) -> None:
    time, later = "11/12/2019 2:14:46 PM", "2019-11-12 14:14:47"
    write_train(tmp_path, (time, "N1-1 N3-0"), (time, "N1-1 N3-0 N2-0"))
    candidates = asked(
        *[("N1", "sports", later), ("N3", "food", later)],
        *[("N8", "sports", later), ("N9", "new", later)],
    )
    found = popularity_scores(candidates, tmp_path, smoothing=2, half_life_days=math.inf)
    overall = 2 / 5
    sports, food = (2 + 2 * overall) / (3 + 2), (0 + 2 * overall) / (2 + 2)
    expected = [(2 + 2 * sports) / 4, (0 + 2 * food) / 4, sports, overall]
    np.testing.assert_allclose(found, expected)
    assert found[0] == pytest.approx(0.78)


def test_a_click_is_worth_half_after_a_half_life(tmp_path: Path) -> None:
    # Of one topic, and all clicks on one article, so that the wider rates are known.
    write_train(
        tmp_path, ("11/10/2019 12:00:00 PM", "N1-1 N2-0"), ("11/12/2019 12:00:00 PM", "N2-1 N1-0")
    )
    candidates = asked(("N1", "sports", "2019-11-14 12:00:00"))
    found = popularity_scores(candidates, tmp_path, smoothing=1, half_life_days=2)
    clicks, views = 1 / 4, 1 / 4 + 1 / 2
    assert found[0] == pytest.approx((clicks + 0.5) / (views + 1))


def test_clicks_of_the_same_second_or_later_count_nothing(tmp_path: Path) -> None:
    write_train(
        tmp_path, ("11/12/2019 12:00:00 PM", "N1-1 N2-0"), ("11/12/2019 12:00:01 PM", "N2-1 N1-0")
    )
    times = ["2019-11-12 12:00:00", "2019-11-12 12:00:01", "2019-11-12 12:00:02"]
    candidates = asked(*[(news, "sports", time) for time in times for news in ("N1", "N2")])
    found = popularity_scores(candidates, tmp_path, smoothing=1, half_life_days=math.inf)
    np.testing.assert_allclose(found, [0, 0, 0.75, 0.25, 0.5, 0.5])


@pytest.mark.slow  # two seconds, of the count in Python
@pytest.mark.parametrize("half_life_days", [0.5, 7])
def test_popularity_agrees_with_a_count_row_by_row(
    half_life_days: float, mind: Path, candidates: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simple, "_BATCH_EVENTS", 100)
    train = mind / "raw/train"
    some = candidates.sample(20, random_state=1)
    news = read_news(train / "news.tsv")
    impressions = list(read_behaviors(train / "behaviors.tsv"))
    expected = []
    for row in some.itertuples():
        sums = np.zeros((3, 2))  # of all, of the topic, of the article: clicks, views
        for impression in impressions:
            age = (row.time - impression.time).total_seconds() / 86_400
            if age <= 0:
                continue
            for news_id, label in zip(impression.candidates, impression.labels, strict=True):
                worth = 0.5 ** (age / half_life_days) * np.array([label, 1])
                sums[0] += worth
                sums[1] += worth * (news_id in news and news[news_id].category == row.category)
                sums[2] += worth * (news_id == row.news_id)
        rate = sums[0, 0] / sums[0, 1]
        for clicks, views in sums[1:]:
            rate = (clicks + 20 * rate) / (views + 20)
        expected.append(rate)
    found = popularity_scores(some, train, smoothing=20, half_life_days=half_life_days)
    np.testing.assert_allclose(found, expected)


def test_a_very_short_half_life_forgets_and_overflows_nothing(
    mind: Path, candidates: pd.DataFrame
) -> None:
    found = popularity_scores(candidates, mind / "raw/train", smoothing=20, half_life_days=1e-7)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()
