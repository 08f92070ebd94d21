"""What the figures of a run show, in sentences.

Every function takes the contents of metrics/evaluate.json: the figures of each predictor and, under
`tuned_vs_<predictor>`, the difference between the tuned model and that predictor, with its 95 %
interval and p-value.
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
    "No impression has both a clicked and an unclicked candidate, so AUC per impression is not "
    "defined and accuracy is used instead."
)
ARTEFACT = "An artefact: the prompt reveals the label"
LEAK_TITLE = "No evidence about future clicks: the prompt shows clicks on the other candidates"
LEAK_NOTICE = (
    "It shows feedback from the same impression that is being scored: the user's reactions to the "
    "other candidates can reveal the answer. These figures are not an estimate of how well future "
    "clicks are predicted."
)
ONE_BY_ONE = "Each interval is for one comparison, without correction for multiple comparisons."

_MIN_UNPARSED = 0.01  # the share of answers from which a difference in accuracy may result


class Verdict(NamedTuple):
    """A short answer, and sentences with the figures; neither has a name from outside."""

    title: str
    text: str


def predictors(metrics: Metrics) -> list[str]:
    """Base, tuned, then the others by decreasing AUC (accuracy if there is none), ties by name.

    Raises:
        UserError: base, tuned or the leak probe is missing.
    """
    found = [name for name, row in metrics.items() if "num_candidates" in row]
    for name in (*MODELS, PROBE):
        if name not in found or (name != "tuned" and f"tuned_vs_{name}" not in metrics):
            raise UserError(
                f"evaluation metrics: the predictor {name!r} is missing or was not compared with "
                f"tuned, found: {', '.join(sorted(metrics)) or 'none'}; run dvc repro evaluate"
            )
    rest = [name for name in found if name not in MODELS]
    key = deciding(metrics)
    return [*MODELS, *sorted(rest, key=lambda name: (-metrics[name].get(key, -math.inf), name))]


def deciding(metrics: Metrics) -> str:
    """The key of the metric that decides: AUC per impression, or accuracy if there is no AUC."""
    return "auc" if "auc" in metrics["tuned_vs_base"] else "accuracy"


def is_compared(metrics: Metrics, predictor: str, key: str) -> bool:
    """Whether both have the metric: scores that are not probabilities have no accuracy."""
    return predictor != "tuned" and key in metrics[f"tuned_vs_{predictor}"]


def gain(metrics: Metrics, predictor: str, key: str) -> Gain:
    """The tuned model against `predictor` by one metric."""
    return Gain.of(metrics[f"tuned_vs_{predictor}"][key])


def verdict(metrics: Metrics, probe: Probe) -> Verdict:
    """Whether the tuned model is better than its base, and the metrics that contradict this.

    If the prompt can leak the label, the title states that instead: no figure of such a run shows
    how well future clicks are predicted.
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
        title = "No significant difference between tuned and base"
        text = (
            f"No significant difference was found: {name} changed by {signed(change.delta)} "
            f"(95 % interval {score(change.low)} to {score(change.high)}, {p_value(change.p)}), "
            f"{scope}{_detects(metrics, 'base', key)}"
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
    """A sentence, after a space, about the difference from `predictor` that can be detected."""
    smallest = metrics[f"tuned_vs_{predictor}"].get(f"detectable_{key}")
    if smallest is None:
        return ""
    return (
        f" A run of this size detects a difference of {score(smallest)} or more with 80 % power; "
        "a smaller one may have gone undetected."
    )


def sorted_sizes(change: Gain) -> tuple[str, str, str]:
    """The size of a gain or loss and the ends of its interval, smaller end first, unsigned."""
    low, high = sorted((abs(change.low), abs(change.high)))
    return score(abs(change.delta)), score(low), score(high)


def _contrary(metrics: Metrics, outcome: str, key: str) -> str:
    """A sentence, after a space, about the metrics that contradict the deciding one; or empty."""
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
    return f" However, {' and '.join(changes)}." if changes else ""


def against_baselines(metrics: Metrics) -> list[tuple[str, list[tuple[str, Gain]]]]:
    """A phrase for each outcome that occurs, with the baselines it applies to and the gains."""
    key = deciding(metrics)
    gains = [
        (name, gain(metrics, name, key))
        for name in predictors(metrics)[len(MODELS) :]
        if is_compared(metrics, name, key)
    ]
    phrases = {
        BETTER: f"By {METRIC_NAMES[key]}, the tuned model is better than",
        SAME: "It is not significantly different from",
        WORSE: "It is worse than",
    }
    groups = [
        (phrase, [(name, found) for name, found in gains if found.outcome == outcome])
        for outcome, phrase in phrases.items()
    ]
    groups = [(phrase, found) for phrase, found in groups if found]
    if groups and groups[0][0] != phrases[BETTER]:
        nothing = (
            f"By {METRIC_NAMES[key]}, the tuned model is not significantly better than any "
            "baseline."
        )
        groups.insert(0, (nothing, []))
    if len(gains) > 1:
        groups.append((ONE_BY_ONE, []))
    return groups


def notices(metrics: Metrics, model: Mapping[str, Any], probe: Probe) -> list[tuple[str, str, str]]:
    """The kind, title and text of each notice that readers should see before the figures.

    Args:
        metrics: see the module.
        model: the contents of metrics/fetch_model.json.
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
    """Whether a rule that reads the answer from the prompt explains the gain from fine-tuning.

    It does if the tuned model is better than its base, and the whole 95 % interval of its gain over
    the rule lies below half of its gain over the base.
    """
    key = deciding(metrics)
    over_base, over_rule = gain(metrics, "base", key), gain(metrics, PROBE, key)
    is_explained = over_base.outcome == BETTER and over_rule.high < over_base.delta / 2
    return bool(probe["is_leak"]) and is_explained


def against_rule(metrics: Metrics, probe: Probe) -> list[tuple[str, str, str]]:
    """The notice that the tuned model is not better than a one-line rule; empty if it is better."""
    key = deciding(metrics)
    found = gain(metrics, PROBE, key)
    rule = f"\u201c{printable(probe['rule'])}\u201d"
    figures = f"{found}, {p_value(found.p)}"
    if is_artefact(metrics, probe):
        text = (
            f"The rule {rule} reads the answer from the prompt and reaches an {METRIC_NAMES[key]} "
            f"of {score(metrics[PROBE][key])} without a model; tuned minus rule: {figures}. More "
            "than half of the tuned model's gain over its base can be obtained with this rule "
            "alone, so the gain is no evidence that the model learned anything about users."
        )
        return [("warn", "An artefact.", text)]
    if found.outcome == BETTER:
        return []
    origin = "which reads the answer from the prompt and was" if probe["is_leak"] else "which was"
    rule = f"the one-line rule {rule}, {origin} chosen on the training samples"
    if found.outcome == WORSE:
        text = f"The tuned model is worse than {rule}. Tuned minus rule: {figures}."
        return [("warn", "Worse than a one-line rule.", text)]
    text = (
        f"No significant difference was found between the tuned model and {rule}. "
        f"Tuned minus rule: {figures}.{_detects(metrics, PROBE, key)}"
    )
    return [("note", "Not significantly better than a one-line rule.", text)]


def upper_bound(probe: Probe) -> str:
    """Sentences about the best rule on the evaluation set itself, and that it is not a baseline."""
    best = probe["best_on_test"]
    key = "auc" if "auc" in best else "pooled_auc"
    name = METRIC_NAMES.get(key, "pooled AUC")
    return (
        f"Of all rules, \u201c{printable(best['rule'])}\u201d has the highest {name} on this "
        f"evaluation set, {score(best[key])}. This is an upper bound, because the rule was found "
        "with the labels of the evaluation set; it is not a predictor to compare with."
    )


def form_notice(metrics: Metrics) -> str:
    """That accuracy also depends on the form of the answers; empty if nearly all are valid."""
    shares = [metrics[name].get("unparsed_rate", 0.0) for name in MODELS]
    if max(shares) < _MIN_UNPARSED:
        return ""
    base, tuned = (f"{share:.1%}".replace("%", " %") for share in shares)
    return (
        f"They make up {base} of the base model's answers and {tuned} of the tuned model's. "
        "Accuracy counts them as wrong, so a difference in accuracy may be one of form alone."
    )


def leak_notice(protocol: Mapping[str, str]) -> str:
    """The warning that the prompt can reveal the label; empty if it cannot."""
    return LEAK_NOTICE if protocol["feedback"] == "same_impression" else ""
