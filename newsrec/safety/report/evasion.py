"""The tables of the evasion probe."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from newsrec.report.text import percent, signed
from newsrec.safety.evaluation.evasion import RATE
from newsrec.safety.evaluation.unsafe import rate_key
from newsrec.safety.labels import BENIGN
from newsrec.safety.predictors import PREDICTORS
from newsrec.safety.report.verdict import allowed

Cell = tuple[str, str]


class Table(NamedTuple):
    """A row for each trick, in it a cell for each predictor."""

    title: str
    about: str
    rows: list[tuple[str, list[Cell]]]


def evasion_tables(evasion: Mapping[str, Any]) -> list[Table]:
    """Recall, and the rate of false positives, by decision and at a threshold.

    Args:
        evasion: what metrics/evasion.json holds: predictor, trick, figures.
    """
    at = f"_{rate_key(RATE)}"
    answer = f"Flagged: the most probable class is not {BENIGN}."
    threshold = (
        f"Flagged: the score is above the threshold of at most {allowed(RATE)} of the {BENIGN} "
        "validation texts; the intervals are given this threshold."
    )
    return [
        _table(evasion, "recall", "Unsafe texts that are flagged", answer),
        _table(evasion, "false_positive_rate", f"{BENIGN} texts that are flagged", answer),
        _table(evasion, f"recall{at}", "Unsafe texts above the threshold", threshold),
        _table(
            evasion, f"false_positive_rate{at}", f"{BENIGN} texts above the threshold", threshold
        ),
    ]


def _table(evasion: Mapping[str, Any], key: str, title: str, about: str) -> Table:
    count = _count(key)
    rows = [
        (f"{trick} ({found[count]:,})", [_cell(evasion[name][trick], key) for name in PREDICTORS])
        for trick, found in evasion["tuned"].items()
        if count in found
    ]
    return Table(title, about, rows)


def _count(key: str) -> str:
    """The key of the number of rows that a figure is of."""
    return f"num_rows_{key.partition('_at_')[0]}"


def _cell(found: Mapping[str, Any], key: str) -> Cell:
    """Before and after, and the change with its interval, or that no text changed."""
    before, after = (percent(found[f"{key}_{end}"]) for end in ("before", "after"))
    if not found[f"{key}_num_changed"]:
        return f"{before} → {after}", f"no text of {found[_count(key)]:,} changed"
    change, low, high = (signed(found[f"{key}_change{end}"]) for end in ("", "_low", "_high"))
    return f"{before} → {after}", f"{change} ({low} to {high})"
