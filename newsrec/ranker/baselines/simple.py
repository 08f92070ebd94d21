"""Scores that read neither history nor text: chance, and what others bought."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from newsrec.ranker.baselines.arrays import Lists, Purchases

_SPAN = 2**44  # ms of five hundred years, and 500,000 items above them in 63 bits


def random_scores(lists: Lists, seed: int) -> np.ndarray:
    """Uniform scores from 0 to 1, shape (lists, K)."""
    return np.random.default_rng(seed).random(lists.candidates.shape)


def popularity_scores(lists: Lists, parts: Sequence[Purchases]) -> np.ndarray:
    """How often each candidate was bought before the moment of its list, shape (lists, K).

    Purchases of train, and later ones that were over by then: known to whoever ranks at that
    moment, and more than trained systems have.
    """
    keys = np.sort(np.concatenate([part.item * _SPAN + part.timestamp for part in parts]))
    first = lists.candidates * _SPAN
    before = np.searchsorted(keys, first + lists.timestamp[:, None])
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
