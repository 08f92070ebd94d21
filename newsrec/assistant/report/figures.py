"""How systems and figures are called and printed."""

from collections.abc import Iterable, Mapping
from typing import Any

from newsrec.assistant.tables import BASELINES, TOPS
from newsrec.models.names import MODELS
from newsrec.report.figures import Dot
from newsrec.report.tables import Gain
from newsrec.report.text import DASH, key_words, score

Cell = tuple[str, str]  # a figure and its interval, as `figure_table` shows them
Metrics = Mapping[str, Any]

SYSTEMS = (*reversed(MODELS), *BASELINES)
NAMES = {
    "tuned": "the tuned model",
    "base": "its untuned base",
    "majority": "the most frequent label",
    "tfidf": "character TF-IDF",
    "nearest": "the answer of the nearest training question",
    "pattern": "the pattern for names",
}
HEADS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "free_accuracy": "accuracy, free text",
    "outside": "outside the list",
    "exact": "exact match",
    "chrf": "chrF",
    "char_f1": "character F1",
    "invented": "invented",
    "none_right": "none answered right",
}
LOWER_IS_BETTER = ("outside", "invented")
# What the figures of each kind of answer are.
ABOUT = {
    "labels": "Accuracy and macro F1 are computed from the label that a system picks when only the "
    "labels are allowed, or from its text if it has no such choice. The last two columns describe "
    "the text that it writes without this constraint: its accuracy, and the share of answers "
    "outside the list (↓: lower is better), which the constraint hides.",
    "text": "All figures are means over the rows and compare each answer with its one reference: "
    "exact match, chrF (0 to 100, computed with sacreBLEU) and character F1. A correct answer in "
    "other words counts only as far as it shares characters with the reference.",
    "span": "Exact match and character F1 compare each answer with its reference. Invented is the "
    "share of answers that are neither part of the input nor the word for none (↓: lower is "
    "better). None answered right is the share of correct answers to inputs without a span.",
}


def in_order(names: Iterable[str]) -> list[str]:
    """Names of systems: the models first, then the baselines, then any other."""
    names = list(names)
    known = [name for name in SYSTEMS if name in names]
    return [*known, *(name for name in names if name not in known)]


def metrics_of(systems: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The metrics that any of the systems has, those of `HEADS` first."""
    found = dict.fromkeys(metric for of_system in systems.values() for metric in of_system)
    return [*(metric for metric in HEADS if metric in found), *(m for m in found if m not in HEADS)]


def head(metric: str) -> str:
    """The head of a metric's column."""
    return HEADS.get(metric, key_words(metric)) + (" ↓" if metric in LOWER_IS_BETTER else "")


def top(metric: str) -> float:
    """The highest figure that a metric can have."""
    return TOPS.get(metric, 1.0)


def digits(metric: str) -> int:
    """After the point."""
    return 1 if top(metric) > 1 else 3


def cell(metric: str, found: Mapping[str, float] | None) -> Cell:
    """A figure and its interval as printed; a dash for None."""
    if found is None:
        return DASH, ""
    value, low, high = (score(found[end], digits(metric)) for end in ("value", "low", "high"))
    return value, f"{low}{DASH}{high}"


def gain(metric: str, found: Mapping[str, float]) -> Gain:
    """A difference as evaluate.json holds it."""
    return Gain(found["value"], found["low"], found["high"], found["p"], digits(metric))


def dot(found: Mapping[str, float]) -> Dot:
    """A figure and its interval in a plot."""
    return Dot(*(found[name] for name in Dot._fields))
