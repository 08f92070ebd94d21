"""Scores that read no title: chance, and what others clicked lately."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from newsrec.news.mind.tables import read_behaviors, read_news

_DAY = 86_400
# Seconds of all the years that a datetime can hold fit below it, and 16 million keys above it.
_SPAN = 2**39
_UNIX_EPOCH = int((datetime(1970, 1, 1) - datetime.min).total_seconds())
_BATCH_EVENTS = 500_000


def random_scores(num_rows: int, seed: int) -> np.ndarray:
    """Uniform scores from 0 to 1, shape (num_rows,)."""
    return np.random.default_rng(seed).random(num_rows)


def popularity_scores(
    candidates: pd.DataFrame, train: Path, smoothing: float, half_life_days: float
) -> np.ndarray:
    """The recent click rate of each candidate; of its topic where the article is little known.

    score = (clicks + smoothing * topic_rate) / (views + smoothing), and a topic's rate is drawn to
    the rate of all news in the same way. Clicks and views are those of the training split before
    the candidate's own impression, each worth 0.5 ^ (age / half-life): what was shown at the same
    second or later counts nothing. Where nothing was shown before, the score is 0.

    Args:
        candidates: rows with news_id, category and time (of the impression), shape (rows,).
        train: folder with the news.tsv and behaviors.tsv of the training split; read row by row.
        smoothing: views that the wider rate is worth; above 0.
        half_life_days: age at which a click or a view is worth half of a fresh one; above 0, and
            infinite to forget nothing.

    Returns:
        Scores from 0 to 1, shape (rows,).

    Raises:
        UserError: a fault in the training files (see `newsrec.news.mind.tables`).
    """
    seconds = candidates["time"].to_numpy("datetime64[s]").astype(np.int64) + _UNIX_EPOCH
    news, news_ids = pd.factorize(candidates["news_id"])
    topic, topics = pd.factorize(candidates["category"])
    everything = np.zeros(len(candidates), dtype=np.int64)
    past_news, past_topic, past_all = (
        _Past(keys.astype(np.int64), seconds, half_life_days * _DAY)
        for keys in (news, topic, everything)
    )
    place_of_news = {news_id: place for place, news_id in enumerate(news_ids)}
    place_of_topic = {name: place for place, name in enumerate(topics)}
    topic_of = {
        news_id: place_of_topic.get(row.category, -1)
        for news_id, row in read_news(train / "news.tsv").items()
    }
    for ids, times, clicks in _events(train / "behaviors.tsv"):
        past_news.add(np.array([place_of_news.get(id_, -1) for id_ in ids]), times, clicks)
        past_topic.add(np.array([topic_of.get(id_, -1) for id_ in ids]), times, clicks)
        past_all.add(np.zeros(len(ids), dtype=np.int64), times, clicks)

    clicks, views = past_all.sums()
    rate: np.ndarray = np.divide(clicks, views, out=np.zeros_like(views), where=views > 0)
    for past in (past_topic, past_news):
        clicks, views = past.sums()
        rate = (clicks + smoothing * rate) / (views + smoothing)
    return rate


def _events(behaviors: Path) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
    """Yield batches of (news ids, seconds since year 1, clicks) of all that was shown."""
    ids: list[str] = []
    times: list[int] = []
    clicks: list[int] = []
    for impression in read_behaviors(behaviors):
        second = int((impression.time - datetime.min).total_seconds())
        ids.extend(impression.candidates)
        times.extend([second] * len(impression.candidates))
        clicks.extend(impression.labels or [0] * len(impression.candidates))
        if len(ids) >= _BATCH_EVENTS:
            yield ids, np.array(times), np.array(clicks)
            ids, times, clicks = [], [], []
    if ids:
        yield ids, np.array(times), np.array(clicks)


class _Past:
    """Clicks and views of a key before a moment, decayed by age, for many (key, moment) at once.

    An event is added once, to the first moment of its key after it; each moment then inherits what
    the one before it has, decayed by the time between. All weights are at most 1, so no half-life
    overflows, and memory grows with the rows asked for, not with the events.
    """

    def __init__(self, keys: np.ndarray, seconds: np.ndarray, half_life: float) -> None:
        self._moments, self._moment_of_row = np.unique(keys * _SPAN + seconds, return_inverse=True)
        self._half_life = half_life
        self._clicks = np.zeros(len(self._moments))
        self._views = np.zeros(len(self._moments))

    def add(self, keys: np.ndarray, seconds: np.ndarray, clicks: np.ndarray) -> None:
        """Add events, shape (events,) each; those of key -1 or after every moment fall out."""
        events = keys * _SPAN + seconds
        place = np.searchsorted(self._moments, events, side="right")
        last = len(self._moments) - 1
        used = (place <= last) & (self._moments[np.minimum(place, last)] // _SPAN == keys)
        place = place[used]
        weight = 0.5 ** ((self._moments[place] - events[used]) / self._half_life)
        size = len(self._moments)
        self._views += np.bincount(place, weight, minlength=size)
        self._clicks += np.bincount(place, weight * clicks[used], minlength=size)

    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Decayed clicks and views before each row, shape (rows,) each; to be called once."""
        same_key = np.diff(self._moments // _SPAN) == 0
        kept = np.where(same_key, 0.5 ** (np.diff(self._moments) / self._half_life), 0.0).tolist()
        results = []
        for own in (self._clicks, self._views):
            sums = own.tolist()
            for place, factor in enumerate(kept, start=1):
                sums[place] += factor * sums[place - 1]
            results.append(np.array(sums)[self._moment_of_row])
        return results[0], results[1]
