"""(history, candidate) pairs as places in a list of titles: what the trained baselines read.

The evaluation set holds the few history titles that a prompt shows; a recommender that needs no
prompt may read the whole history, so it is taken from behaviors.tsv.
"""

import heapq
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from newsrec.errors import UserError
from newsrec.news.mind.draws import draw_of
from newsrec.news.mind.tables import Impression, read_behaviors, read_news
from newsrec.news.mind.titles import shown_titles


@dataclass(frozen=True, slots=True)
class Click:
    """One click in training; every number is a place in the list of training titles."""

    history: tuple[int, ...]
    clicked: int
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrainingClicks:
    """The titles of the training split and the clicks drawn from it."""

    titles: list[str]
    clicks: list[Click]


@dataclass(frozen=True, slots=True)
class EvaluationPairs:
    """The evaluation set: row i asks for titles[news[i]] given histories[impression[i]]."""

    titles: list[str]
    histories: list[tuple[int, ...]]
    impression: np.ndarray
    news: np.ndarray


def read_training_clicks(
    train: Path, *, num_history: int, num_negatives: int, max_impressions: int | None, seed: int
) -> TrainingClicks:
    """Read every click of the training impressions, each with others of its impression.

    Impressions are read one by one and those of the lowest draw kept, so that the same seed takes
    the same ones whatever their order in the file, and a larger number takes these and more.

    Args:
        train: folder with the news.tsv and behaviors.tsv of the training split.
        num_history: clicked news of a history at most, the latest; in the order of the file.
        num_negatives: candidates at most that were shown with a click and not clicked.
        max_impressions: impressions at most; None takes all.
        seed: of the draws of impressions and negatives.

    Returns:
        Titles in the order of news.tsv, and clicks in random order of their impressions.

    Raises:
        UserError: a fault in the files, or no impression with a click and another candidate.
    """
    titles = shown_titles(read_news(train / "news.tsv"))
    place_of = {news_id: place for place, news_id in enumerate(titles)}
    path = train / "behaviors.tsv"

    def drawn() -> Iterator[tuple[int, list[Click]]]:
        for impression in read_behaviors(path):
            draw = draw_of(seed, "baselines", impression.impression_id)
            clicks = list(_clicks(impression, place_of, num_history, num_negatives, draw))
            if clicks:
                yield draw, clicks

    if max_impressions is None:
        kept = sorted(drawn(), key=lambda item: item[0])
    else:
        kept = heapq.nsmallest(max_impressions, drawn(), key=lambda item: item[0])
    if not kept:
        raise UserError(
            f"{path}: no impression to learn from; expected at least one with a click, a candidate "
            "that was not clicked, and baselines.max_train_impressions above 0"
        )
    return TrainingClicks(list(titles.values()), [click for _, clicks in kept for click in clicks])


def read_evaluation_pairs(
    candidates: pd.DataFrame, test: Path, num_history: int
) -> EvaluationPairs:
    """Join the evaluation set with the whole histories of its impressions.

    Args:
        candidates: rows with impression_id, news_id and target (the title), shape (rows,).
        test: folder with the news.tsv and behaviors.tsv of the test split; labels are not used.
        num_history: clicked news of a history at most, the latest; in the order of the file.

    Raises:
        UserError: a fault in the files, or an impression of `candidates` is not in them.
    """
    titles = shown_titles(read_news(test / "news.tsv"))
    titles |= dict(zip(candidates["news_id"], candidates["target"], strict=True))
    place_of = {news_id: place for place, news_id in enumerate(titles)}
    impression, impression_ids = pd.factorize(candidates["impression_id"])
    path = test / "behaviors.tsv"
    wanted = set(impression_ids)
    history_of = {
        row.impression_id: _history(row, place_of, num_history)
        for row in read_behaviors(path)
        if row.impression_id in wanted
    }
    missing = [id_ for id_ in impression_ids if id_ not in history_of]
    if missing:
        raise UserError(
            f"{path}: no impression {missing[0]!r}; expected all {len(wanted)} of the evaluation "
            "set; make it again with: dvc repro preprocess"
        )
    return EvaluationPairs(
        titles=list(titles.values()),
        histories=[history_of[id_] for id_ in impression_ids],
        impression=impression,
        news=candidates["news_id"].map(place_of).to_numpy(np.int64),
    )


def _history(impression: Impression, place_of: Mapping[str, int], limit: int) -> tuple[int, ...]:
    """The latest clicks that have a title; the same article twice counts twice."""
    known = [place_of[news_id] for news_id in impression.history if news_id in place_of]
    return tuple(known[max(0, len(known) - limit) :])


def _clicks(
    impression: Impression,
    place_of: Mapping[str, int],
    num_history: int,
    num_negatives: int,
    draw: int,
) -> Iterator[Click]:
    shown = [
        (place_of[news_id], label)
        for news_id, label in zip(impression.candidates, impression.labels or (), strict=True)
        if news_id in place_of
    ]
    others = [place for place, label in shown if not label]
    if not others:
        return
    rng = random.Random(draw)
    history = _history(impression, place_of, num_history)
    for place, label in shown:
        if label:
            negatives = rng.sample(others, min(num_negatives, len(others)))
            yield Click(history, place, tuple(negatives))
