"""What the figures of a run show, in sentences.

Every function takes what metrics/evaluate.json holds: figures by predictor, and of the tuned model
against each other one, under `tuned_vs_<predictor>`, the difference with its 95 % interval and p.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from newsrec.errors import UserError
from newsrec.models.names import MODELS
from newsrec.report.tables import BETTER, SAME, WORSE, Gain
from newsrec.report.text import counted, p_value, printable, score, signed, tiny_notice

Metrics = Mapping[str, Mapping[str, Any]]
Probe = Mapping[str, Any]  # `leak_probe` of metrics/baselines.json

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
LEAK_TITLE = "No evidence about future clicks: the prompt shows what became of the other candidates"
LEAK_NOTICE = (
    "It shows feedback from the impression that is being scored: what the user did with the other "
    "candidates can give the answer away. These figures are no estimate of how well future clicks "
    "are predicted."
)

_MIN_UNPARSED = 0.01  # a share of answers that a difference in accuracy may come from


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


def verdict(metrics: Metrics, probe: Probe) -> Verdict:
    """Whether the tuned model is better than its base, and the metrics that show the contrary.

    Where the prompt can leak the label, that is the title: no figure of such a run shows how
    well future clicks are predicted.
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
            f"{_detects(metrics, 'base', key)}"
        )
    else:
        word = "higher" if change.outcome == BETTER else "lower"
        size, low, high = sorted_sizes(change)
        title = f"The tuned model is {change.outcome} than its base"
        text = (
            f"{title}: its {name} is {word} by {size} (95 % interval {low} to {high}, "
            f"{p_value(change.p)}), {scope}"
        )
    if key == "accuracy":
        text += f" {ONE_CLASS}"
    text += _contrary(metrics, change.outcome, key)
    if leak_notice(metrics["protocol"]):
        title = ARTEFACT if is_artefact(metrics, probe) else LEAK_TITLE
        text = f"{title}. {text}"
    return Verdict(title, text)


def _detects(metrics: Metrics, predictor: str, key: str) -> str:
    """Which difference from `predictor` the run could have shown, as a sentence with a space."""
    smallest = metrics[f"tuned_vs_{predictor}"].get(f"detectable_{key}")
    if smallest is None:
        return ""
    return (
        f" A run of this size detects a difference of {score(smallest)} or more four times in "
        "five; a smaller one may have gone undetected."
    )


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
        nothing = (
            f"By {METRIC_NAMES[key]}, the tuned model is not shown to be better than any baseline."
        )
        groups.insert(0, (nothing, []))
    if len(gains) > 1:
        groups.append(("Each interval is for one comparison, not for all of them at once.", []))
    return groups


def notices(metrics: Metrics, model: Mapping[str, Any], probe: Probe) -> list[tuple[str, str, str]]:
    """Kind, title and text of what to know before reading the figures.

    Args:
        metrics: as everywhere in this module.
        model: what metrics/fetch_model.json holds.
        probe: the rule in words, whether it is a leak, and the best rule on the evaluation set.
    """
    found = [
        ("warn", "The prompt can leak the label.", leak_notice(metrics["protocol"])),
        *against_rule(metrics, probe),
        ("note", "Answers that are neither Yes nor No.", form_notice(metrics)),
        ("note", "Tiny model.", tiny_notice(model)),
    ]
    return [notice for notice in found if notice[2]]


def is_artefact(metrics: Metrics, probe: Probe) -> bool:
    """Whether a rule that reads the answer from the prompt explains what fine-tuning gained.

    It does where the tuned model is better than its base, and the whole 95 % interval of what it
    has more than the rule is below half of that gain.
    """
    key = deciding(metrics)
    over_base, over_rule = gain(metrics, "base", key), gain(metrics, PROBE, key)
    is_explained = over_base.outcome == BETTER and over_rule.high < over_base.delta / 2
    return bool(probe["is_leak"]) and is_explained


def against_rule(metrics: Metrics, probe: Probe) -> list[tuple[str, str, str]]:
    """What it means that the tuned model is not better than a one-line rule; empty where it is."""
    key = deciding(metrics)
    found = gain(metrics, PROBE, key)
    rule = f"\u201c{printable(probe['rule'])}\u201d"
    figures = f"{found}, {p_value(found.p)}"
    if is_artefact(metrics, probe):
        text = (
            f"The rule {rule} reads the answer from the prompt and has {METRIC_NAMES[key]} "
            f"{score(metrics[PROBE][key])} without a model; tuned minus rule: {figures}. More than "
            "half of what the tuned model gained over its base is within reach of this rule: the "
            "gain is no evidence that anything about users was learned."
        )
        return [("warn", "An artefact.", text)]
    if found.outcome == BETTER:
        return []
    origin = "which reads the answer from the prompt" if probe["is_leak"] else "a plain one"
    rule = f"the one-line rule {rule} ({origin}, chosen on the training samples)"
    if found.outcome == WORSE:
        text = f"The tuned model is worse than {rule}: {figures}."
        return [("warn", "Worse than a one-line rule.", text)]
    text = f"No difference was shown between the tuned model and {rule}: {figures}."
    return [("note", "A one-line rule.", text + _detects(metrics, PROBE, key))]


def upper_bound(probe: Probe) -> str:
    """The best rule on the evaluation set itself, as a sentence that says what it is not."""
    best = probe["best_on_test"]
    key = "auc" if "auc" in best else "pooled_auc"
    name = METRIC_NAMES.get(key, "pooled AUC")
    return (
        f"Of all rules, \u201c{printable(best['rule'])}\u201d has the highest {name} on these very "
        f"impressions, {score(best[key])}: an upper bound, found with their labels, and not a "
        "predictor to compare with."
    )


def form_notice(metrics: Metrics) -> str:
    """That accuracy also counts the form of the answers; empty where nearly all have it."""
    shares = [metrics[name].get("unparsed_rate", 0.0) for name in MODELS]
    if max(shares) < _MIN_UNPARSED:
        return ""
    base, tuned = (f"{share:.1%}".replace("%", " %") for share in shares)
    return (
        f"Of the base model's answers {base} are neither, of the tuned model's {tuned}. Accuracy "
        "counts them as wrong, so that a difference in accuracy can be one of form alone."
    )


def leak_notice(protocol: Mapping[str, str]) -> str:
    """The warning that the prompt gives the label away; empty where it does not."""
    return LEAK_NOTICE if protocol["feedback"] == "same_impression" else ""
