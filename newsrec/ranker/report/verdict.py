"""What the figures of a run show, in sentences.

Every function takes what metrics/evaluate.json holds: `systems`, the figures of each with its
interval, and `pairs`, under "a vs b" what a has more than b.
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
_PHRASES = {BETTER: "better than", SAME: "not shown to differ from", WORSE: "worse than"}
_MANY_TIES = 0.05  # share of the lists whose target ties

KRICHENE = (
    "Each list has the target and {num} others that were drawn. Figures of drawn candidates are "
    "higher than those of the whole catalogue, and may even order systems otherwise (Krichene and "
    "Rendle, 2020, On sampled metrics for item recommendation): these compare with other figures "
    "on the very same lists, and with no published figure of the full ranking."
)


class Verdict(NamedTuple):
    """The answer in a few words, and sentences with the figures."""

    title: str
    text: str


def gain(metrics: Metrics, one: str, other: str, key: str = MAIN) -> Gain | None:
    """What one system has more than another; None where they have no such figure in common."""
    pairs = metrics["pairs"]
    if found := pairs.get(f"{one} vs {other}", {}).get(key):
        return Gain(found["value"], found["low"], found["high"], found["p"])
    if found := pairs.get(f"{other} vs {one}", {}).get(key):
        return Gain(-found["value"], -found["high"], -found["low"], found["p"])
    return None


def main_gain(metrics: Metrics, one: str, other: str) -> Gain:
    """The same by NDCG@10, which every system has."""
    found = gain(metrics, one, other)
    assert found is not None, f"no pair of {one} and {other}"
    return found


def strongest_baseline(metrics: Metrics) -> str | None:
    """The one with the highest NDCG@10 of those that are neither our models nor leaks."""
    others = [name for name in metrics["systems"] if name not in (*POLICIES, *LEAKS, RANDOM)]
    return max(others, key=lambda name: value_of(metrics, name), default=None)


def value_of(metrics: Metrics, system: str, key: str = MAIN) -> float:
    """A figure of a system."""
    return float(metrics["systems"][system][key]["value"])


def rivals(metrics: Metrics, main: str) -> dict[str, str]:
    """What the verdict compares with, by system, in words."""
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
    """Whether training by reinforcement helped, against what, and by how much.

    Args:
        metrics: see the module.
        main: the method that the run is about.
        probes: what metrics/probes.json holds.
    """
    of_main = metrics["systems"][main][MAIN]
    low, high = score(of_main["low"]), score(of_main["high"])
    sentences = [
        f"On {counted(metrics['num_lists'], 'test list')} of {metrics['num_candidates']} "
        f"candidates, of {counted(metrics['num_users'], 'user')}, the ranker trained by "
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
            f"On {number(of_probe['num_lists'])} of these lists it has {score(own['value'])} with "
            f"the user's own history. With another user's history it has {score(probed['value'])} "
            f"({score(probed['low'])} to {score(probed['high'])})."
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
    how = "by softmax" if main == SOFTMAX else "by reinforcement"
    return f"Trained {how}, the ranker is {_listed(parts, ', and ')}"


def _listed(words: list[str], last: str = " and ") -> str:
    return last.join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def against_softmax(metrics: Metrics, main: str) -> str:
    """Which of the two is better at what; empty where there is only one of them."""
    if main == SOFTMAX or SOFTMAX not in metrics["systems"]:
        return ""
    found = {key: gain(metrics, main, SOFTMAX, key) for key in HEADS}
    by_outcome: dict[str, list[str]] = {BETTER: [], WORSE: [], SAME: []}
    for key, one in found.items():
        if one is not None:
            by_outcome[one.outcome].append(f"{HEADS[key]} ({one})")
    names = {BETTER: f"{main} is better by", WORSE: "softmax is better by"}
    sentences = [
        f"{words} {_listed(by_outcome[outcome])}."
        for outcome, words in names.items()
        if by_outcome[outcome]
    ]
    if by_outcome[SAME]:
        sentences.append(f"No difference is shown by {_listed(by_outcome[SAME])}.")
    return f"Against softmax, trained alike: {' '.join(sentences)}"


def against_others(metrics: Metrics, main: str) -> list[str]:
    """A sentence for each other system: better, worse, or no difference shown."""
    sentences = []
    for name in metrics["systems"]:
        if name != main:
            found = main_gain(metrics, main, name)
            phrase = _PHRASES[found.outcome]
            sentences.append(f"By NDCG@10 {main} is {phrase} {name} ({in_words(name)}): {found}.")
    return sentences


def notices(
    metrics: Metrics,
    main: str,
    probes: Mapping[str, Any],
    teach: Mapping[str, Any],
    model: Mapping[str, Any],
) -> list[Notice]:
    """Kind, title and text of what to know before reading the figures.

    Args:
        metrics: see the module.
        main: the method that the run is about.
        probes: what metrics/probes.json holds.
        teach: what metrics/teach.json holds.
        model: what metrics/fetch_model.json holds.
    """
    found = [
        ("note", "Tiny model.", tiny_notice(model)),
        _of_teacher(teach),
        ("note", "Drawn candidates.", KRICHENE.format(num=metrics["num_candidates"] - 1)),
        _of_ties(metrics),
        _of_history(main, probes),
        ("note", "PPO.", _of_ppo(metrics)),
    ]
    if "rating_number" in metrics["systems"]:
        text = (
            "rating_number was counted by the site after the test period, so it knows what was "
            "bought later: it shows what a leak is worth, and is not among the baselines of the "
            "verdict."
        )
        found.append(("note", "A leak for comparison.", text))
    return [notice for notice in found if notice[2]]


def _of_teacher(teach: Mapping[str, Any]) -> Notice:
    train = teach["train"]
    if teach["teacher"] == "none":
        text = "The labels themselves were the answers of the fine-tuning; no teacher was asked."
        return "note", "No teacher.", text
    if teach["teacher"] == "url":
        return "note", "", ""
    return (
        "note",
        "A local teacher.",
        "The teacher was a server of the same machine that knows the labels and plays one: "
        f"{train['num_right']:,} of its {train['num_asked']:,} answers were right and kept, the "
        "others wrong, unclear or cut off on purpose. It shows that asking a server works, and "
        "nothing of what a real teacher knows.",
    )


def _of_ties(metrics: Metrics) -> Notice:
    tied = {
        name: found["tie_rate"]["value"]
        for name, found in metrics["systems"].items()
        if name in POLICIES and found["tie_rate"]["value"] > _MANY_TIES
    }
    listed = ", ".join(f"{name} {100 * rate:.0f} %" for name, rate in tied.items())
    text = (
        "Lists whose target has exactly the same score as another candidate, of all lists: "
        f"{listed}. Their figures are the mean over every order of the tied ones; a coarse "
        "score.dtype ties more."
    )
    return "warn", "Many exact ties.", text if tied else ""


def _of_history(main: str, probes: Mapping[str, Any]) -> Notice:
    found = probes[WRONG_HISTORY].get(main)
    reads = found is None or found["difference"]["high"] < 0
    text = (
        "With another user's history in the prompt it is not shown to rank worse: it may follow "
        "something else, such as popularity."
    )
    return "warn", "Not shown to read the history.", "" if reads else text


def _of_ppo(metrics: Metrics) -> str:
    if "ppo" not in metrics["systems"]:
        return ""
    found = main_gain(metrics, "ppo", SFT)
    return (
        "PPO with one drawn order of each list and a value head is the published recipe, kept for "
        "comparison. The noise of its gradient is in the estimator audit of the page. Here it is "
        f"{_PHRASES[found.outcome]} the model that it started from: {found}."
    )
