"""A judge's verdicts on pairs of answers, the base model's and the tuned model's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from newsrec.assistant.report.figures import Cell
from newsrec.report.text import DASH, counted, score

# The outcomes of a pair, as named in metrics/evaluate.json, and the heads of their columns.
HEADS = {
    "tuned": "tuned",
    "base": "base",
    "tie": "tie",
    "order": "verdict changes with the order",
    "none": "no verdict",
}


class Judged(NamedTuple):
    """A task with judged pairs.

    Attributes:
        name: of the task.
        sentence: the verdict; it claims no more than the interval shows.
        counts: pairs, pairs of identical answers, and those of `HEADS`.
        shares: how often tuned is preferred, and how often the judge agrees with itself.
    """

    name: str
    sentence: str
    counts: list[int]
    shares: list[Cell]


def judged_tasks(judge: Mapping[str, Any] | None) -> list[Judged]:
    """The tasks with judged pairs; none without a judge.

    Args:
        judge: what metrics/evaluate.json holds: by task.
    """
    return [
        Judged(
            name,
            _sentence(found),
            [found["num_pairs"], found["num_same"], *(found["verdicts"][kind] for kind in HEADS)],
            [_cell(found.get(key)) for key in ("tuned_preferred", "agreement")],
        )
        for name, found in (judge or {}).items()
    ]


def _cell(found: Mapping[str, float] | None) -> Cell:
    if found is None:
        return DASH, ""
    return score(found["value"]), f"{score(found['low'])}{DASH}{score(found['high'])}"


def _sentence(found: Mapping[str, Any]) -> str:
    verdicts = found["verdicts"]
    counts = (
        f"of {counted(found['num_pairs'], 'pair')}, {verdicts['tuned']:,} for tuned, "
        f"{verdicts['base']:,} for base, {verdicts['tie']:,} ties"
    )
    preferred, agreement = found.get("tuned_preferred"), found.get("agreement")
    if preferred is None:
        return f"The judge gave no verdict: {counts}."
    if round(preferred["low"], 3) > 0.5:
        says = "The judge prefers the tuned model"
    elif round(preferred["high"], 3) < 0.5:
        says = "The judge prefers the base"
    else:
        says = "The judge shows no preference"
    if agreement is None:
        return f"{says}: {counts}; no pair had two different answers to judge."
    low, high = score(agreement["low"]), score(agreement["high"])
    return (
        f"{says}: {counts}. With the two answers swapped, its verdict stays the same for "
        f"{score(agreement['value'])} of them (95 % interval {low} to {high})."
    )
