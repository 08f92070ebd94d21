"""The published figures of the Yes/No recipe beside this run's, and beside rules without a model.

The recipe predicts the last candidate of an impression and shows which of the others were clicked.
"""

from collections.abc import Mapping
from typing import NamedTuple

from newsrec.report.text import figure, score
from newsrec.report.verdict import PROBE, Metrics

HEADS = ("accuracy", "precision", "recall")
NOTE = (
    "Every impression of MIND has a click, so where the prompt shows that no other candidate was "
    "clicked the answer is Yes. A rule that says so needs no model and knows nothing of the user: "
    "a figure that it reaches too is an artefact of the prompt. Accuracy alone says still less: "
    "few last candidates are clicked, and an answer that is always No is mostly right."
)
# Of other runs on other rows: to look at, never to compute a difference with.
ELSEWHERE = {
    "published": (
        "Qwen3-8B after LoRA, on MIND: as reported, not measured here",
        {"accuracy": 0.981, "precision": 1.000, "recall": 0.821},
    ),
    "rule on MINDsmall": (
        "\u201cno other click -> Yes\u201d, no model: measured on 5,000 impressions of MINDsmall, "
        "not in this run",
        {"accuracy": 0.979, "precision": 1.000, "recall": 0.811},
    ),
}


class Row(NamedTuple):
    """A predictor, what it is, and of each of `HEADS` the figure and its interval as printed."""

    name: str
    about: str
    figures: list[tuple[str, str]]


def beside_published(metrics: Metrics, rule: str) -> list[Row]:
    """The published figures, then this run's; no row where the run has another recipe.

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
    """Whether a run asks what the published one did, so that their figures are of one kind."""
    return protocol["feedback"] == "same_impression" and protocol["candidates"] == "last"
