"""What the figures of a run show, in sentences.

Every function takes what metrics/evaluate.json holds: figures by predictor, and of the tuned model
against each other one, under `tuned_vs_<predictor>`, the difference with its 95 % interval and p.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from newsrec.errors import UserError
from newsrec.news.predictions import MODELS
from newsrec.report.tables import BETTER, SAME, WORSE, Gain
from newsrec.report.text import counted, p_value, printable, score, signed

Metrics = Mapping[str, Mapping[str, Any]]

PROBE = "leak_probe"
METRIC_NAMES = {
    "auc": "AUC per impression",
    "mrr": "MRR",
    "ndcg_at_10": "nDCG@10",
    "accuracy": "accuracy",
}
ONE_CLASS = (
    "No impression has both a click and another candidate, so there is no AUC per impression and "
    "accuracy is used instead."
)
ARTEFACT = "An artefact: the prompt gives the label away"
LEAK_NOTICE = (
    "It shows feedback from the impression that is being scored: what the user did with the other "
    "candidates gives the answer away. These figures do not predict future clicks."
)


class Verdict(NamedTuple):
    """The answer in a few words, and sentences with the figures; without predictors' names."""

    title: str
    text: str


def predictors(metrics: Metrics) -> list[str]:
    """Base, tuned, then the rest by falling AUC (accuracy where there is none), ties by name.

    Raises:
        UserError: base, tuned or the leak probe is missing.
    """
    found = [name for name, row in metrics.items() if "num_candidates" in row]
    for name in (*MODELS, PROBE):
        if name not in found or (name != "tuned" and f"tuned_vs_{name}" not in metrics):
            raise UserError(
                f"evaluation metrics: no predictor {name!r} compared with tuned, found: "
                f"{', '.join(sorted(metrics)) or 'none'}; run dvc repro evaluate"
            )
    rest = [name for name in found if name not in MODELS]
    key = deciding(metrics)
    return [*MODELS, *sorted(rest, key=lambda name: (-metrics[name].get(key, -math.inf), name))]


def deciding(metrics: Metrics) -> str:
    """The key of the metric that decides: AUC per impression, or accuracy where there is none."""
    return "auc" if "auc" in metrics["tuned_vs_base"] else "accuracy"


def is_compared(metrics: Metrics, predictor: str, key: str) -> bool:
    """Whether the metric exists for both: scores that are no probabilities have no accuracy."""
    return predictor != "tuned" and key in metrics[f"tuned_vs_{predictor}"]


def gain(metrics: Metrics, predictor: str, key: str) -> Gain:
    """The tuned model against `predictor` by one metric."""
    return Gain.of(metrics[f"tuned_vs_{predictor}"][key])


def verdict(metrics: Metrics) -> Verdict:
    """Whether fine-tuning helped, and the metrics that show the contrary.

    Where the prompt leaks the label, that is the title: no figure of such a run shows whether
    fine-tuning helped.
    """
    key = deciding(metrics)
    name, base, tuned = METRIC_NAMES[key], metrics["base"], metrics["tuned"]
    change = gain(metrics, "base", key)
    scope = (
        f"from {score(base[key])} to {score(tuned[key])}, on "
        f"{counted(tuned['num_impressions'], 'impression')} of "
        f"{counted(tuned['num_users'], 'user')}."
    )
    if change.outcome == SAME:
        title = "No difference shown between tuned and base"
        text = (
            f"No difference shown: {name} changed by {signed(change.delta)} (95 % interval "
            f"{score(change.low)} to {score(change.high)}, {p_value(change.p)}), {scope}"
        )
        if key == "auc" and "detectable_auc" in metrics["tuned_vs_base"]:
            smallest = score(metrics["tuned_vs_base"]["detectable_auc"])
            text += (
                f" A run of this size detects a difference of {smallest} or more four times in "
                "five; a smaller one may have gone undetected."
            )
    else:
        verb = "raised" if change.outcome == BETTER else "lowered"
        size, low, high = sorted_sizes(change)
        title = f"Fine-tuning {verb} {name}"
        if change.outcome == WORSE:
            title += ": the tuned model is worse"
        text = f"{title.partition(':')[0]} by {size} (95 % interval {low} to {high}, "
        text += f"{p_value(change.p)}), {scope}"
        if change.outcome == WORSE:
            text += " The tuned model is worse than its base."
    if key == "accuracy":
        text += f" {ONE_CLASS}"
    text += _contrary(metrics, change.outcome, key)
    if leak_notice(metrics["protocol"]):
        return Verdict(ARTEFACT, f"{ARTEFACT}. {text}")
    return Verdict(title, text)


def sorted_sizes(change: Gain) -> tuple[str, str, str]:
    """Size of a gain or loss and the ends of its interval, the smaller one first, unsigned."""
    low, high = sorted((abs(change.low), abs(change.high)))
    return score(abs(change.delta)), score(low), score(high)


def _contrary(metrics: Metrics, outcome: str, key: str) -> str:
    """The other metrics in which the outcome differs from that of the deciding one."""
    changes = []
    for other in METRIC_NAMES:
        if other == key or other not in metrics["tuned_vs_base"]:
            continue
        change = gain(metrics, "base", other)
        if change.outcome not in (SAME, outcome):
            size, low, high = sorted_sizes(change)
            verb = "rose" if change.outcome == BETTER else "fell"
            name = METRIC_NAMES[other]
            changes.append(f"{name} {verb} by {size} (95 % interval {low} to {high})")
    return f" But {' and '.join(changes)}." if changes else ""


def against_baselines(metrics: Metrics) -> list[tuple[str, list[tuple[str, Gain]]]]:
    """A phrase for each outcome that some baseline has, with those baselines and the gains."""
    key = deciding(metrics)
    gains = [
        (name, gain(metrics, name, key))
        for name in predictors(metrics)[len(MODELS) :]
        if is_compared(metrics, name, key)
    ]
    phrases = {
        BETTER: f"By {METRIC_NAMES[key]}, the tuned model is better than",
        SAME: "No difference shown from",
        WORSE: "The tuned model is worse than",
    }
    groups = [
        (phrase, [(name, found) for name, found in gains if found.outcome == outcome])
        for outcome, phrase in phrases.items()
    ]
    groups = [(phrase, found) for phrase, found in groups if found]
    if groups and groups[0][0] != phrases[BETTER]:
        nothing = f"By {METRIC_NAMES[key]}, the tuned model is not better than any baseline."
        groups.insert(0, (nothing, []))
    return groups


def notices(metrics: Metrics, model: Mapping[str, Any], rule: str) -> list[tuple[str, str, str]]:
    """Kind, title and text of what to know before reading the figures.

    Args:
        metrics: as everywhere in this module.
        model: what metrics/fetch_model.json holds.
        rule: of the leak probe, in words.
    """
    found = [
        ("warn", "The prompt leaks the label.", leak_notice(metrics["protocol"])),
        ("warn", "An artefact.", artefact(metrics, rule)),
        ("note", "Tiny model.", tiny_notice(model)),
    ]
    return [notice for notice in found if notice[2]]


def artefact(metrics: Metrics, rule: str) -> str:
    """What it means that the tuned model does not beat the leak probe; empty where it does.

    Args:
        metrics: as everywhere in this module.
        rule: of the probe, in words.
    """
    found = gain(metrics, PROBE, deciding(metrics))
    if found.outcome == BETTER:
        return ""
    return (
        "The tuned model does not beat the leak probe, the best of a few trivial rules "
        f"(\u201c{printable(rule)}\u201d): {found}, {p_value(found.p)}. Whatever it gained over "
        "its base is an artefact of the prompt; no learning beyond trivial rules is shown."
    )


def tiny_notice(model: Mapping[str, Any]) -> str:
    """What to know before reading figures of the tiny model; empty for another model."""
    if model["source"] != "tiny":
        return ""
    return (
        f"This run used a tiny test model ({model['num_parameters']:,} parameters). It shows that "
        "the pipeline runs from end to end; its figures are no evidence about the method."
    )


def leak_notice(protocol: Mapping[str, str]) -> str:
    """The warning that the prompt gives the label away; empty where it does not."""
    return LEAK_NOTICE if protocol["feedback"] == "same_impression" else ""
