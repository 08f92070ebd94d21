"""The published figures of the Yes/No recipe, with those of this run and of rules without a model.

The recipe predicts the last candidate of an impression and shows which of the others were clicked.
"""

from collections.abc import Mapping
from typing import NamedTuple

from newsrec.news.report.verdict import PROBE, Metrics
from newsrec.report.tables import figure
from newsrec.report.text import score

HEADS = ("accuracy", "precision", "recall")
NOTE = (
    "Every impression of MIND has a click, so where the prompt shows that no other candidate was "
    "clicked the answer is Yes. This rule needs no model and uses nothing about the user: a figure "
    "that it reaches too is no evidence of more. Accuracy alone is even less informative: "
    "few last candidates are clicked, so an answer that is always No is mostly right."
)
# From other runs on other rows: shown for orientation, no difference may be computed with them.
ELSEWHERE = {
    "published": (
        "Qwen3-8B after LoRA, on MIND: as reported, not measured here",
        {"accuracy": 0.981, "precision": 1.000, "recall": 0.821},
    ),
    "rule on MINDsmall": (
        "\u201cno other click means Yes\u201d, no model: measured on 5,000 impressions of "
        "MINDsmall, not in this run",
        {"accuracy": 0.979, "precision": 1.000, "recall": 0.811},
    ),
}


class Row(NamedTuple):
    """A predictor, what it is, and the figure and interval of each of `HEADS`, as printed."""

    name: str
    about: str
    figures: list[tuple[str, str]]


def beside_published(metrics: Metrics, rule: str) -> list[Row]:
    """The published figures, then those of this run; no row where the run has another recipe.

    Args:
        metrics: what metrics/evaluate.json holds.
        rule: the leak probe's, in words.
    """
    if not is_published_recipe(metrics["protocol"]):
        return []
    about = {
        "tuned": "this run",
        PROBE: f"this run: \u201c{rule}\u201d, no model",
        "base": "this run, before fine-tuning",
    }
    return [
        *(
            Row(name, words, [(score(found[key]), "") for key in HEADS])
            for name, (words, found) in ELSEWHERE.items()
        ),
        *(
            Row(name, words, [figure(metrics[name], key) for key in HEADS])
            for name, words in about.items()
        ),
    ]


def is_published_recipe(protocol: Mapping[str, str]) -> bool:
    """Whether a run asks what the published one asked, so that their figures are of one kind."""
    return protocol["feedback"] == "same_impression" and protocol["candidates"] == "last"
