"""Which candidates of an impression are predicted, and how many of each row of a block."""

import random
from collections.abc import Container

import numpy as np

from newsrec.news.mind.blocks import Block
from newsrec.news.mind.tables import Impression


def targets(
    row: Impression, titled: Container[str], how: str, positive_rate: float, draw: int
) -> list[int]:
    """The places of the candidates to predict.

    Args:
        row: the impression.
        titled: ids of the news that have a title; others are no target.
        how: `all` of them, the `last` candidate, or `sampled`: a clicked one and others. Without
            labels, all.
        positive_rate: the share of clicks among sampled ones.
        draw: the seed of the sampled ones.
    """
    if row.labels is not None and how == "last":
        last = len(row.candidates) - 1
        return [last] if row.candidates[last] in titled else []
    places = [place for place, news_id in enumerate(row.candidates) if news_id in titled]
    if row.labels is None or how == "all":
        return places
    clicked = [place for place in places if row.labels[place]]
    others = [place for place in places if not row.labels[place]]
    if not clicked or not others:
        return []
    rng = random.Random(draw)
    num_others = _num_others(rng, positive_rate)
    return sorted([rng.choice(clicked), *rng.sample(others, min(num_others, len(others)))])


def num_targets(
    block: Block, is_titled: np.ndarray, how: str, positive_rate: float, draws: np.ndarray
) -> np.ndarray:
    """The number of `targets` of each row, int64; `is_titled` is true for the titled candidates."""
    candidates, labels = block.candidates, block.labels
    num_titled = candidates.count(is_titled)
    if how == "all":
        return num_titled
    last = candidates.offsets[1:] - 1
    if how == "last":
        found = is_titled[last].astype(np.int64)
    else:
        clicked = candidates.count(is_titled & (labels == 1))
        others = candidates.count(is_titled & (labels == 0))
        usable = (clicked > 0) & (others > 0)
        wanted = np.full(len(block), int(_wanted(positive_rate)))
        if _wanted(positive_rate) % 1:
            for row in np.flatnonzero(usable):
                wanted[row] = _num_others(random.Random(int(draws[row])), positive_rate)
        found = usable * (1 + np.minimum(wanted, others))
    return np.where(labels[last] == -1, num_titled, found)


def _wanted(positive_rate: float) -> float:
    """Not-clicked targets for each click."""
    return (1 - positive_rate) / positive_rate


def _num_others(rng: random.Random, positive_rate: float) -> int:
    wanted = _wanted(positive_rate)
    return int(wanted) + (rng.random() < wanted % 1)
