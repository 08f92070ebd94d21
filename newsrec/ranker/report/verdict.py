"""What the figures of a run show, in sentences.

Every function takes the contents of metrics/evaluate.json: `systems`, the figures of each system
with their intervals, and `pairs`, with the differences a minus b under "a vs b".
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from newsrec.ranker.evaluation.figures import EXPECTED, MAIN
from newsrec.ranker.systems import LEAKS, POLICIES, WRONG_HISTORY, in_words
from newsrec.report.tables import BETTER, SAME, WORSE, Gain
from newsrec.report.text import counted, number, p_value, score, tiny_notice

Metrics = Mapping[str, Any]
Notice = tuple[str, str, str]

SFT, SOFTMAX, RANDOM = "sft", "softmax", "random"
HEADS = {
    MAIN: "NDCG@10",
    EXPECTED: "expected NDCG@10",
    "ndcg_at_1": "NDCG@1",
    "hr_at_10": "HR@10",
    "mrr": "MRR",
}
_PHRASES = {BETTER: "better than", SAME: "not significantly different from", WORSE: "worse than"}
_MANY_TIES = 0.05  # share of lists whose target is tied

KRICHENE = (
    "Each list contains the target and {num} sampled candidates. Figures for sampled candidates "
    "are higher than those for the full catalogue, and can even rank systems differently "
    "(Krichene and Rendle, 2020, On sampled metrics for item recommendation). Compare these "
    "figures only with others for the same lists, not with published figures for a full ranking."
)


class Verdict(NamedTuple):
    """A short answer, and sentences with the figures."""

    title: str
    text: str


def gain(metrics: Metrics, one: str, other: str, key: str = MAIN) -> Gain | None:
    """The difference of one system from another; None if one of them does not have the figure."""
    pairs = metrics["pairs"]
    if found := pairs.get(f"{one} vs {other}", {}).get(key):
        return Gain(found["value"], found["low"], found["high"], found["p"])
    if found := pairs.get(f"{other} vs {one}", {}).get(key):
        return Gain(-found["value"], -found["high"], -found["low"], found["p"])
    return None


def main_gain(metrics: Metrics, one: str, other: str) -> Gain:
    """The same for NDCG@10, which every system has."""
    found = gain(metrics, one, other)
    assert found is not None, f"no pair of {one} and {other}"
    return found


def strongest_baseline(metrics: Metrics) -> str | None:
    """The baseline with the highest NDCG@10, other than the random order and leaks; or None."""
    others = [name for name in metrics["systems"] if name not in (*POLICIES, *LEAKS, RANDOM)]
    return max(others, key=lambda name: value_of(metrics, name), default=None)


def value_of(metrics: Metrics, system: str, key: str = MAIN) -> float:
    """A figure of a system."""
    return float(metrics["systems"][system][key]["value"])


def rivals(metrics: Metrics, main: str) -> dict[str, str]:
    """The systems that the verdict compares with, and their descriptions."""
    strongest = strongest_baseline(metrics)
    found = {
        SFT: "the model that it started from",
        SOFTMAX: "softmax, the supervised baseline",
        **({strongest: f"the strongest baseline, {in_words(strongest)}"} if strongest else {}),
    }
    return {
        name: words for name, words in found.items() if name in metrics["systems"] and name != main
    }


def verdict(metrics: Metrics, main: str, probes: Mapping[str, Any]) -> Verdict:
    """Whether reinforcement learning helped, compared with which systems, and by how much.

    Args:
        metrics: see the module.
        main: the method that the run is about.
        probes: the contents of metrics/probes.json.
    """
    of_main = metrics["systems"][main][MAIN]
    low, high = score(of_main["low"]), score(of_main["high"])
    sentences = [
        f"On {counted(metrics['num_lists'], 'test list')} of {metrics['num_candidates']} "
        f"candidates each, from {counted(metrics['num_users'], 'user')}, the ranker trained with "
        f"{in_words(main)} has an NDCG@10 of {score(of_main['value'])} (95 % interval {low} to "
        f"{high}); a random order has {score(metrics['random_order'][MAIN])} on average."
    ]
    for other, words in rivals(metrics, main).items():
        found = main_gain(metrics, main, other)
        sentences.append(
            f"{words[0].upper()}{words[1:]}{',' if ',' in words else ''} has "
            f"{score(value_of(metrics, other))}; the difference is {found}, {p_value(found.p)}."
        )
    if of_probe := probes[WRONG_HISTORY].get(main):
        own, probed = of_probe["own"], of_probe["probed"]
        sentences.append(
            f"On {number(of_probe['num_lists'])} of these lists, its NDCG@10 is "
            f"{score(own['value'])} with the user's own history and {score(probed['value'])} "
            f"(95 % interval {score(probed['low'])} to {score(probed['high'])}) with another "
            "user's history."
        )
    return Verdict(_title(metrics, main), " ".join(sentences))


def _title(metrics: Metrics, main: str) -> str:
    by_outcome: dict[str, list[str]] = {}
    for other, words in rivals(metrics, main).items():
        outcome = main_gain(metrics, main, other).outcome
        by_outcome.setdefault(outcome, []).append(words.partition(",")[0])
    parts = [
        f"{_PHRASES[outcome]} {_listed(by_outcome[outcome])}"
        for outcome in (BETTER, WORSE, SAME)
        if outcome in by_outcome
    ]
    how = "softmax" if main == SOFTMAX else "reinforcement learning"
    return f"Trained with {how}, the ranker is {_listed(parts, ', and ')}"


def _listed(words: list[str], last: str = " and ") -> str:
    return last.join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def against_softmax(metrics: Metrics, main: str) -> str:
    """Which of the two is better by which metrics; empty if there is only one of them."""
    if main == SOFTMAX or SOFTMAX not in metrics["systems"]:
        return ""
    found = {key: gain(metrics, main, SOFTMAX, key) for key in HEADS}
    by_outcome: dict[str, list[str]] = {BETTER: [], WORSE: [], SAME: []}
    for key, one in found.items():
        if one is not None:
            by_outcome[one.outcome].append(f"{HEADS[key]} ({one})")
    phrases = {
        BETTER: f"{main} is better than softmax",
        WORSE: f"softmax is better than {main}",
        SAME: "no significant difference was found",
    }
    sentences = [
        f"By {_listed(by_outcome[outcome])}, {phrase}."
        for outcome, phrase in phrases.items()
        if by_outcome[outcome]
    ]
    return f"{main} and softmax were trained in the same way. {' '.join(sentences)}"


def against_others(metrics: Metrics, main: str) -> list[str]:
    """A sentence for each other system: better, worse, or no significant difference."""
    sentences = []
    for name in metrics["systems"]:
        if name != main:
            found = main_gain(metrics, main, name)
            phrase = _PHRASES[found.outcome]
            sentences.append(f"By NDCG@10, {main} is {phrase} {name} ({in_words(name)}): {found}.")
    return sentences


def notices(
    metrics: Metrics,
    main: str,
    probes: Mapping[str, Any],
    teach: Mapping[str, Any],
    model: Mapping[str, Any],
) -> list[Notice]:
    """The kind, title and text of each notice that readers should see before the figures.

    Args:
        metrics: see the module.
        main: the method that the run is about.
        probes: the contents of metrics/probes.json.
        teach: the contents of metrics/teach.json.
        model: the contents of metrics/fetch_model.json.
    """
    found = [
        ("note", "Tiny model.", tiny_notice(model)),
        _of_teacher(teach),
        ("note", "Sampled candidates.", KRICHENE.format(num=metrics["num_candidates"] - 1)),
        _of_ties(metrics),
        _of_history(main, probes),
        ("note", "PPO.", _of_ppo(metrics)),
    ]
    if "rating_number" in metrics["systems"]:
        text = (
            "The site counted rating_number after the test period, so it includes later purchases. "
            "It shows the effect of a leak, and is not one of the baselines in the verdict."
        )
        found.append(("note", "A leak for comparison.", text))
    return [notice for notice in found if notice[2]]


def _of_teacher(teach: Mapping[str, Any]) -> Notice:
    train = teach["train"]
    if teach["teacher"] == "none":
        text = "The model was fine-tuned on the labels themselves; no teacher was queried."
        return "note", "No teacher.", text
    if teach["teacher"] == "url":
        return "note", "", ""
    return (
        "note",
        "A local teacher.",
        "The teacher was a stand-in on the same machine, a server that knows the labels: "
        f"{train['num_right']:,} of its {train['num_asked']:,} answers were correct and kept; the "
        "others were deliberately wrong, unclear or truncated. This shows that querying a server "
        "works, but nothing about how well a real teacher answers.",
    )


def _of_ties(metrics: Metrics) -> Notice:
    tied = {
        name: found["tie_rate"]["value"]
        for name, found in metrics["systems"].items()
        if name in POLICIES and found["tie_rate"]["value"] > _MANY_TIES
    }
    listed = ", ".join(f"{name} {100 * rate:.0f} %" for name, rate in tied.items())
    text = (
        "The share of lists whose target has exactly the same score as another candidate: "
        f"{listed}. Their figures are averaged over all orders of the tied candidates. A "
        "score.dtype of lower precision leads to more ties."
    )
    return "warn", "Many exact ties.", text if tied else ""


def _of_history(main: str, probes: Mapping[str, Any]) -> Notice:
    found = probes[WRONG_HISTORY].get(main)
    reads = found is None or found["difference"]["high"] < 0
    text = (
        "With another user's history in the prompt, the ranker is not significantly worse: it may "
        "rely on something else, such as popularity."
    )
    return "warn", "No evidence that the ranker uses the history.", "" if reads else text


def _of_ppo(metrics: Metrics) -> str:
    if "ppo" not in metrics["systems"]:
        return ""
    found = main_gain(metrics, "ppo", SFT)
    return (
        "PPO with one sampled order per list and a value head is the published recipe, included "
        "for comparison. The estimator audit of the report shows the noise of its gradient. In "
        f"this run, PPO is {_PHRASES[found.outcome]} the model that it started from: {found}."
    )
