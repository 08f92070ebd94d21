"""The leak probe: how far trivial rules get on what a prompt shows.

A prompt can give its own answer away. Every MIND impression has a click, so where the clicks on the
*other* candidates of the same impression are shown, "none of them was clicked" means Yes. A model
that only ties the probe has learned nothing about the user.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from newsrec.metrics.classification import pooled_auc
from newsrec.metrics.ranking import group_auc

_BATCH_ROWS = 10_000


class Shown(NamedTuple):
    """The fields of one prompt; titles only."""

    history: list[str]
    liked: list[str]
    disliked: list[str]
    target: str


@lru_cache(maxsize=200_000)
def _words(title: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", title.lower()))


def _shared(target: str, titles: Sequence[str]) -> float:
    """The share of the target's words that are in one of `titles`."""
    words = _words(target)
    return len(words.intersection(*[frozenset().union(*map(_words, titles))])) / max(1, len(words))


def _many(count: int, usual: int) -> float:
    """A count from 0 up as a score below 1; `usual` or more reach 0.5, which is a Yes."""
    return count / (count + usual)


# Every rule, as a score from 0 to 1. A yes-or-no rule comes before the count it is made of: where
# both rank alike the first is taken, and 0.5 parts it as it is meant.
RULES: dict[str, Callable[[Shown], float]] = {
    "no liked news": lambda shown: not shown.liked,
    "no disliked news": lambda shown: not shown.disliked,
    "no history": lambda shown: not shown.history,
    "many liked news": lambda shown: _many(len(shown.liked), 2),
    "many disliked news": lambda shown: _many(len(shown.disliked), 2),
    "long history": lambda shown: _many(len(shown.history), 2),
    "more liked than disliked news": lambda shown: _many(len(shown.liked), 1 + len(shown.disliked)),
    "target is in the history": lambda shown: shown.target in shown.history,
    "target is in the liked news": lambda shown: shown.target in shown.liked,
    "target is in the disliked news": lambda shown: shown.target in shown.disliked,
    "target shares words with the history": lambda shown: _shared(shown.target, shown.history),
    "target shares words with the liked news": lambda shown: _shared(shown.target, shown.liked),
    "target shares words with the disliked news": lambda shown: _shared(
        shown.target, shown.disliked
    ),
    "target has many words": lambda shown: _many(len(shown.target.split()), 10),
    "target has many characters": lambda shown: _many(len(shown.target), 60),
    "target holds a digit": lambda shown: any(map(str.isdigit, shown.target)),
    "target asks a question": lambda shown: "?" in shown.target,
    "target quotes somebody": lambda shown: any(mark in shown.target for mark in "\"'‘’“”"),
}


def probe_scores(candidates: Path) -> tuple[str, np.ndarray]:
    """The best of `RULES`, each also turned round, and its scores.

    The best is the one of the highest AUC on the evaluation set itself, labels and all: in the
    probe's favour, as a bound that a model has to pass and not as a predictor to use. The AUC is
    the mean over impressions, or of all rows as one list where no impression has both labels (one
    candidate each). Of rules that rank alike, the first is taken.

    Args:
        candidates: the evaluation set; read in batches, of the prompt only what it shows.

    Returns:
        The rule, such as "no liked news -> Yes", and scores from 0 to 1, shape (rows,).
    """
    labels = pd.read_parquet(candidates, columns=["impression_id", "label"])
    scores = {name: np.empty(len(labels), dtype=np.float32) for name in RULES}
    start = 0
    for batch in pq.ParquetFile(candidates).iter_batches(_BATCH_ROWS, columns=list(Shown._fields)):
        prompts = [Shown(**row) for row in batch.to_pylist()]
        for name, rule in RULES.items():
            scores[name][start : start + len(prompts)] = [rule(shown) for shown in prompts]
        start += len(prompts)

    best_rule, best_scores, best_auc = "", np.empty(0), -1.0
    for name, score in scores.items():
        auc = _auc(labels, score)
        turned = auc < 0.5
        # Rounded: sums in another order would otherwise part rules that rank alike.
        auc = round(max(auc, 1 - auc), 9)
        if auc > best_auc:
            best_rule = f"{name} -> {'No' if turned else 'Yes'}"
            best_scores = (1 - score if turned else score).astype(np.float64)
            best_auc = auc
    return best_rule, best_scores


def _auc(labels: pd.DataFrame, score: np.ndarray) -> float:
    """AUC as `probe_scores` defines it; 0.5 where all labels are equal."""
    series = pd.Series(score, index=labels.index)
    of_impressions = group_auc(labels["impression_id"], labels["label"], series).dropna()
    if len(of_impressions):
        return float(of_impressions.mean())
    pooled = pooled_auc(labels["label"], series)
    return 0.5 if pooled is None else pooled
