"""Published figures of the Yes/No recipe, with those of this run and of rules without a model.

The recipe predicts the last candidate of an impression and shows which of the others were clicked.
"""

from collections.abc import Mapping
from typing import NamedTuple

from newsrec.news.report.verdict import PROBE, Metrics
from newsrec.report.tables import figure
from newsrec.report.text import score

HEADS = ("accuracy", "precision", "recall")
NOTE = (
    "Every impression in MIND has a click, so if the prompt shows that no other candidate was "
    "clicked, the answer is Yes. This rule needs no model and no information about the user: a "
    "figure that the rule also reaches is no evidence of anything more. Accuracy alone is even "
    "less informative: few last candidates are clicked, so always answering No is mostly right."
)
# From other runs on other rows: shown for reference only; differences from them have no meaning.
ELSEWHERE = {
    "published": (
        "Qwen3-8B after LoRA, on MIND: as reported, not measured in this run",
        {"accuracy": 0.981, "precision": 1.000, "recall": 0.821},
    ),
    "rule on MINDsmall": (
        "\u201cno other click means Yes\u201d, without a model: measured on 5,000 impressions of "
        "MINDsmall, not in this run",
        {"accuracy": 0.979, "precision": 1.000, "recall": 0.811},
    ),
}


class Row(NamedTuple):
    """A predictor, its description, and the figure and interval for each of `HEADS`, as printed."""

    name: str
    about: str
    figures: list[tuple[str, str]]


def beside_published(metrics: Metrics, rule: str) -> list[Row]:
    """The published figures, then those of this run; no rows if the run uses another recipe.

    Args:
        metrics: the contents of metrics/evaluate.json.
        rule: the rule of the leak probe, in words.
    """
    if not is_published_recipe(metrics["protocol"]):
        return []
    about = {
        "tuned": "this run",
        PROBE: f"this run: \u201c{rule}\u201d, without a model",
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
    """Whether a run has the prompts of the published one, so that their figures are comparable."""
    return protocol["feedback"] == "same_impression" and protocol["candidates"] == "last"
