"""What the figures of a run show, in sentences.

Every function takes what metrics/evaluate.json holds: figures by predictor, and of the tuned model
against each other one, under `tuned_vs_<predictor>`, the difference with its 95 % interval and p.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from newsrec.metrics.rates import trials_to_prove
from newsrec.report.tables import BETTER, SAME, WORSE, Gain
from newsrec.report.text import counted, p_value, percent, score, tiny_notice
from newsrec.safety.evaluation.unsafe import HEADLINE_RATES, rate_key
from newsrec.safety.labels import BENIGN
from newsrec.safety.predictors import PREDICTORS

Metrics = Mapping[str, Any]

NAMES = {
    "tuned": "the tuned model",
    "base": "its untuned base",
    "tfidf": "character TF-IDF",
    "keywords": "the keyword list",
    "majority": "the most frequent class",
}
OTHERS = [name for name in PREDICTORS if name != "tuned"]
MAIN_RATE = 0.01  # the allowed rate of false positives that the verdict speaks of


class Verdict(NamedTuple):
    """The answer in a few words, and sentences with the figures."""

    title: str
    text: str


def allowed(rate: float) -> str:
    """A rate that was chosen, in percent: without digits that say nothing."""
    return f"{100 * rate:g} %"


def benign_share(metrics: Metrics) -> str:
    """The share of benign texts that precision is computed for, and where it is from."""
    share, source = percent(metrics["benign_share"]), metrics["protocol"]["benign_share"]
    return f"{share} of all texts are {BENIGN} ({source})"


def flags_any(at: Mapping[str, Any]) -> bool:
    """Whether any test text is above a threshold; else there is no precision."""
    return bool(at["recall"] > 0 or at["false_positive_rate"] > 0)


def share_unsafe(at: Mapping[str, Any]) -> str:
    """How much of what is flagged at a threshold is unsafe, as the rest of a sentence."""
    if not flags_any(at):
        return "nothing is flagged"
    return f"{percent(at['precision_at_real_share'])} of what it flags is unsafe"


def too_few_to_choose(at: Mapping[str, Any]) -> bool:
    """Whether the allowed rate of the benign validation texts is less than one of them."""
    return bool(at["rate"] * at["num_val_benign"] < 1 - 1e-9)  # 0.01 of 100 is one, rounding or not


def bounds(row: Mapping[str, Any], key: str) -> str:
    """A share and its 95 % interval in percent."""
    low, high = percent(row[f"{key}_low"]), percent(row[f"{key}_high"])
    return f"{percent(row[key])} ({low} to {high})"


def gain(metrics: Metrics, other: str, key: str = "macro_f1") -> Gain:
    """What the tuned model has more than another predictor."""
    return Gain.of(metrics[f"tuned_vs_{other}"][key])


def strongest(metrics: Metrics) -> str:
    """The predictor with the highest macro-F1 beside the tuned model."""
    return max(OTHERS, key=lambda name: float(metrics[name]["macro_f1"]))


def verdict(metrics: Metrics, thresholds: Mapping[str, Any]) -> Verdict:
    """How good the tuned model is, whether anything simpler is as good, and what it flags.

    Args:
        metrics: see the module.
        thresholds: of the tuned model, by `rate_key`, as metrics/thresholds.json holds them.
    """
    tuned, other = metrics["tuned"], strongest(metrics)
    found = gain(metrics, other)
    low, high = score(tuned["macro_f1_low"]), score(tuned["macro_f1_high"])
    text = (
        f"On {counted(tuned['num_rows'], 'test text')} in "
        f"{counted(tuned['num_clusters'], 'cluster')} of near copies, the tuned model's macro-F1 "
        f"is {score(tuned['macro_f1'])} (95 % interval {low} to {high}). The strongest of the "
        f"others, {NAMES[other]}, has {score(metrics[other]['macro_f1'])}; the difference is "
        f"{found}, {p_value(found.p)}. {_unsafe(thresholds[rate_key(MAIN_RATE)], metrics)}"
    )
    return Verdict(_title(metrics), text)


def _title(metrics: Metrics) -> str:
    outcomes = {name: gain(metrics, name).outcome for name in OTHERS}
    worse = [NAMES[name] for name, outcome in outcomes.items() if outcome == WORSE]
    same = [NAMES[name] for name, outcome in outcomes.items() if outcome == SAME]
    if worse:
        return f"The tuned model is worse than {' and '.join(worse)}"
    if same:
        return f"No difference shown between the tuned model and {' or '.join(same)}"
    return "The tuned model is better than its base and than every baseline"


def _unsafe(at: Mapping[str, Any], metrics: Metrics) -> str:
    wrong = bounds(at, "false_positive_rate")
    chosen_on = counted(at["num_val_benign"], f"{BENIGN} validation text")
    return (
        f"As the question \u201cunsafe or not\u201d, with the threshold that flags at most "
        f"{allowed(at['rate'])} of {chosen_on}: it finds {bounds(at, 'recall')} of the "
        f"unsafe test texts and flags {wrong} of the {BENIGN} ones (exact 95 % bounds, given "
        f"this threshold). Where {benign_share(metrics)}, "
        f"{share_unsafe(at)}."
    )


def calibration(tuned: Metrics) -> str:
    """What the temperature does to the expected calibration error of the tuned model.

    Args:
        tuned: its figures, as metrics/evaluate.json holds them.
    """
    before, after = score(tuned["ece"]), score(tuned["ece_calibrated"])
    worse = (
        " On these test texts the calibrated probabilities have a higher ECE than the raw ones."
        if float(after) > float(before)
        else ""
    )
    return (
        f"Calibrated by a temperature of {score(tuned['temperature'])}, fitted on validation "
        f"texts. ECE {before} before, {after} after.{worse}"
    )


def notices(
    metrics: Metrics, thresholds: Mapping[str, Any], model: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Kind, title and text of what to know before reading the figures.

    Args:
        metrics: see the module.
        thresholds: of the tuned model, as for `verdict`.
        model: what metrics/fetch_model.json holds.
    """
    found = [("note", "Tiny model.", tiny_notice(model))]
    exceeded = [
        f"{allowed(at['rate'])} allowed, {bounds(at, 'false_positive_rate')} found"
        for at in (thresholds[rate_key(rate)] for rate in HEADLINE_RATES)
        if at["false_positive_rate_low"] > at["rate"]
    ]
    found.append(
        (
            "warn",
            "More false positives than allowed.",
            f"On test texts the whole interval is above the rate that the threshold keeps on "
            f"validation texts: {'; '.join(exceeded)}. The two sets differ, or validation has too "
            f"few {BENIGN} texts to choose on."
            if exceeded
            else "",
        )
    )
    too_few = [
        allowed(at["rate"])
        for at in (thresholds[rate_key(rate)] for rate in HEADLINE_RATES)
        if too_few_to_choose(at)
    ]
    num_val = thresholds[rate_key(MAIN_RATE)]["num_val_benign"]
    found.append(
        (
            "warn",
            "Too few rows to choose a threshold.",
            f"The validation set has {counted(num_val, f'{BENIGN} text')}, of which "
            f"{' and '.join(too_few)} is less than one: the threshold is their highest score."
            if too_few
            else "",
        )
    )
    num_benign, needed = thresholds[rate_key(MAIN_RATE)]["num_benign"], trials_to_prove(MAIN_RATE)
    found.append(
        (
            "note",
            "Too few rows to prove a rate.",
            f"The test has {counted(num_benign, f'{BENIGN} text')}; to prove that at most "
            f"{allowed(MAIN_RATE)} of them are flagged takes {needed}, even if none is."
            if num_benign < needed
            else "",
        )
    )
    shared = {
        pair.replace("_", " and "): counts["num_near_copies"]
        for pair, counts in metrics["leak_gate"].items()
        if counts["num_near_copies"]
    }
    listed = "; ".join(f"{pair} {number:,}" for pair, number in shared.items())
    found.append(
        (
            "warn",
            "Near copies in two splits.",
            "No cluster is in two splits, but a second search found near copies that the first had "
            f"missed: {listed}."
            if shared
            else "",
        )
    )
    return [notice for notice in found if notice[2]]


def against_others(metrics: Metrics) -> list[str]:
    """A sentence for each other predictor: better, worse, or not significantly different."""
    words = {
        BETTER: "better than {}",
        WORSE: "worse than {}",
        SAME: "not significantly different from {}",
    }
    sentences = []
    for name in OTHERS:
        found = gain(metrics, name)
        phrase = words[found.outcome].format(NAMES[name])
        sentences.append(f"By macro-F1 the tuned model is {phrase}: {found}, {p_value(found.p)}.")
    return sentences
