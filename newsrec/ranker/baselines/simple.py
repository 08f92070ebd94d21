"""Scores that read neither history nor text: chance, and what others bought."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from newsrec.ranker.baselines.arrays import Lists, Purchases


def random_scores(lists: Lists, seed: int) -> np.ndarray:
    """Uniform scores from 0 to 1, shape (lists, K)."""
    return np.random.default_rng(seed).random(lists.candidates.shape)


def popularity_scores(lists: Lists, parts: Sequence[Purchases]) -> np.ndarray:
    """How often each candidate was bought before the moment of its list, shape (lists, K).

    Purchases of train, and later ones that were over by then: known to whoever ranks at that
    moment, and more than trained systems have.
    """
    # Moments by their order, so that item and moment fit into one number.
    moments = np.unique(np.concatenate([part.timestamp for part in parts]))
    span = len(moments) + 1
    bought = [part.item * span + np.searchsorted(moments, part.timestamp) for part in parts]
    keys = np.sort(np.concatenate(bought))
    first = lists.candidates * span
    before = np.searchsorted(keys, first + np.searchsorted(moments, lists.timestamp)[:, None])
    counts: np.ndarray = before - np.searchsorted(keys, first)
    return counts.astype(np.float64)


def rating_number_scores(lists: Lists, items: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """The number of ratings that the site shows, shape (lists, K); -1 where it shows none.

    It was counted after the test, so it knows what was bought there: a probe of how much that
    gives away.
    """
    shown = [row["rating_number"] for row in items]
    numbers = np.array([-1 if number is None else number for number in shown], np.float64)
    found: np.ndarray = numbers[lists.candidates]
    return found
