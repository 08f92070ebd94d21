"""The leak probe: how far one-line rules get on what a prompt shows.

A prompt can give its own answer away. Every MIND impression has a click, so where the clicks on the
*other* candidates of the same impression are shown, "none of them was clicked" means Yes. Such a
rule is a leak. A rule about the titles themselves, or about what the user did earlier, is a plain
baseline.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from newsrec.metrics.classification import pooled_auc
from newsrec.metrics.ranking import group_auc
from newsrec.news.baselines.words import are_spaced, count_words, words
from newsrec.news.prompts import YES, read_prompt_input

# Of the scripts that have their own; Greek's is ";" to most keyboards, and that is a semicolon.
_QUESTION_MARKS = "?？؟՞፧"
_QUOTATION_MARKS = "\"'‘’“”„«»‹›「」『』〝〞＂"
_BATCH_ROWS = 10_000


class Shown(NamedTuple):
    """The fields of one prompt; titles only."""

    history: list[str]
    liked: list[str]
    disliked: list[str]
    target: str


@lru_cache(maxsize=200_000)
def _words(title: str, spaced: bool) -> frozenset[str]:
    return frozenset(words(title, spaced=spaced))


def _shared(target: str, titles: Sequence[str]) -> float:
    """The share of the target's words that are in one of `titles`."""
    spaced = are_spaced([target, *titles])
    found = _words(target, spaced)
    known = frozenset[str]().union(*(_words(title, spaced) for title in titles))
    return len(found & known) / max(1, len(found))


def _many(count: int, usual: int) -> float:
    """A count from 0 up as a score below 1; `usual` or more reach 0.5, which is a Yes."""
    return count / (count + usual)


# Every rule, as a score from 0 to 1. A yes-or-no rule comes before the count it is made of: where
# both rank alike the first is taken, and 0.5 parts it as it is meant.
Rules = dict[str, Callable[[Shown], float]]
# Of what is shown as liked and disliked: leaks where that is of the impression that is predicted.
FEEDBACK_RULES: Rules = {
    "no liked news": lambda shown: not shown.liked,
    "no disliked news": lambda shown: not shown.disliked,
    "many liked news": lambda shown: _many(len(shown.liked), 2),
    "many disliked news": lambda shown: _many(len(shown.disliked), 2),
    "more liked than disliked news": lambda shown: _many(len(shown.liked), 1 + len(shown.disliked)),
    "target is in the liked news": lambda shown: shown.target in shown.liked,
    "target is in the disliked news": lambda shown: shown.target in shown.disliked,
    "target shares words with the liked news": lambda shown: _shared(shown.target, shown.liked),
    "target shares words with the disliked news": lambda shown: _shared(
        shown.target, shown.disliked
    ),
}
PLAIN_RULES: Rules = {
    "no history": lambda shown: not shown.history,
    "long history": lambda shown: _many(len(shown.history), 2),
    "target is in the history": lambda shown: shown.target in shown.history,
    "target shares words with the history": lambda shown: _shared(shown.target, shown.history),
    "target has many words": lambda shown: _many(count_words(shown.target), 10),
    "target has many characters": lambda shown: _many(len(shown.target), 60),
    "target holds a digit": lambda shown: any(map(str.isdigit, shown.target)),
    "target asks a question": lambda shown: any(mark in shown.target for mark in _QUESTION_MARKS),
    "target quotes somebody": lambda shown: any(mark in shown.target for mark in _QUOTATION_MARKS),
}
RULES = FEEDBACK_RULES | PLAIN_RULES


@dataclass(frozen=True)
class Chosen:
    """The rule with the highest AUC over some prompts, turned round where that ranks better.

    Attributes:
        name: a key of `RULES`.
        turned: whether the rule means No.
        metric: `auc`, the mean over impressions, or `pooled_auc`, of all rows as one list, where no
            impression has both labels (one candidate each).
        value: of the metric, over the prompts that the rule was chosen on.
    """

    name: str
    turned: bool
    metric: str
    value: float

    def __str__(self) -> str:
        return f"{self.name} means {'No' if self.turned else 'Yes'}"


class RuleScores(NamedTuple):
    """What every rule gives to some prompts: labels and scores, shape (prompts,) each."""

    labels: pd.DataFrame
    scores: dict[str, np.ndarray]

    def choose(self) -> Chosen:
        """The best rule for these labels; of rules that rank alike, the first."""
        best: Chosen | None = None
        for name, score in self.scores.items():
            metric, value = _auc(self.labels, score)
            turned = value < 0.5
            # Rounded: sums in another order would otherwise part rules that rank alike.
            value = round(max(value, 1 - value), 9)
            if best is None or value > best.value:
                best = Chosen(name, turned, metric, value)
        assert best is not None
        return best

    def apply(self, rule: Chosen) -> np.ndarray:
        """The scores of one rule, float64, shape (prompts,), from 0 to 1."""
        score = self.scores[rule.name]
        return (1 - score if rule.turned else score).astype(np.float64)


def probe(
    samples: Path, candidates: Path, feedback: str, limit: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Choose the best of `RULES` on training samples and score the evaluation set by it.

    Args:
        samples: training samples, JSON lines as `SampleFiles` writes them.
        candidates: the evaluation set; read in batches, of the prompt only what it shows.
        feedback: where liked and disliked news come from; a rule about them is a leak where it is
            `same_impression`.
        limit: samples to choose on, at most; the first ones.

    Returns:
        What is reported: the rule, such as "no liked news means Yes", whether it is a leak,
        its AUC on the training samples, and the best rule on the evaluation set itself, which no
        choice may use and which bounds what a rule can reach; and the scores, shape (rows,).
    """
    chosen = _of_samples(samples, limit).choose()
    test = _of_candidates(candidates)
    best = test.choose()
    is_leak = feedback == "same_impression" and chosen.name in FEEDBACK_RULES
    reported = {
        "rule": str(chosen),
        "is_leak": is_leak,
        f"train_{chosen.metric}": chosen.value,
        "best_on_test": {"rule": str(best), best.metric: best.value},
    }
    return reported, test.apply(chosen)


def _of_samples(samples: Path, limit: int) -> RuleScores:
    labels, prompts = [], []
    with samples.open(encoding="utf-8") as lines:
        for line in islice(lines, limit):
            record = json.loads(line)
            labels.append((record["impression_id"], int(record["output"] == YES)))
            prompts.append(Shown(*read_prompt_input(record["input"])))
    scores = {name: np.array([rule(one) for one in prompts]) for name, rule in RULES.items()}
    return RuleScores(pd.DataFrame(labels, columns=["impression_id", "label"]), scores)


def _of_candidates(candidates: Path) -> RuleScores:
    labels = pd.read_parquet(candidates, columns=["impression_id", "label"])
    scores = {name: np.empty(len(labels), dtype=np.float32) for name in RULES}
    start = 0
    for batch in pq.ParquetFile(candidates).iter_batches(_BATCH_ROWS, columns=list(Shown._fields)):
        prompts = [Shown(**row) for row in batch.to_pylist()]
        for name, rule in RULES.items():
            scores[name][start : start + len(prompts)] = [rule(shown) for shown in prompts]
        start += len(prompts)
    return RuleScores(labels, scores)


def _auc(labels: pd.DataFrame, score: np.ndarray) -> tuple[str, float]:
    """The metric of `Chosen` and its value; 0.5 where all labels are equal."""
    series = pd.Series(score, index=labels.index)
    of_impressions = group_auc(labels["impression_id"], labels["label"], series).dropna()
    if len(of_impressions):
        return "auc", float(of_impressions.mean())
    pooled = pooled_auc(labels["label"], series)
    return "pooled_auc", 0.5 if pooled is None else pooled
