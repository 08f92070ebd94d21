"""The contents of the tables of a report, on the page and in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from newsrec.report.text import DASH, flat, key_words, score, signed

BETTER, WORSE, SAME = "better", "worse", "no significant difference"


class Gain(NamedTuple):
    """The difference of two models in one metric, with its 95 % interval and p-value."""

    delta: float
    low: float
    high: float
    p: float
    digits: int = 3  # after the decimal point; fewer for a metric whose scale is not 0 to 1

    @classmethod
    def of(cls, found: Mapping[str, float]) -> Self:
        """From delta, low, high and p as in a metrics file."""
        return cls(found["delta"], found["low"], found["high"], found["p"])

    @property
    def outcome(self) -> str:
        """BETTER, WORSE, or SAME if the interval contains 0, judged by the printed digits."""
        if round(self.low, self.digits) > 0:
            return BETTER
        return WORSE if round(self.high, self.digits) < 0 else SAME

    def __str__(self) -> str:
        delta, low, high = (signed(end, self.digits) for end in (self.delta, self.low, self.high))
        return f"{delta}, 95 % interval {low} to {high}"


def figure(row: Mapping[str, Any], key: str) -> tuple[str, str]:
    """A figure and its interval as printed; the interval is empty if there is none.

    Args:
        row: the figures of one model; may lack the key, or its bounds KEY_low and KEY_high.
        key: the key of the figure.
    """
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    interval = "" if low is None or high is None else f"{score(low)}{DASH}{score(high)}"
    return score(row.get(key)), interval


def figure_rows(
    rows: Mapping[str, Mapping[str, Any]], keys: Iterable[str]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """For each name, its figures with their intervals, in the order of `keys`."""
    keys = list(keys)
    return [(name, [figure(row, key) for key in keys]) for name, row in rows.items()]


def comparison_rows(
    comparisons: Mapping[str, Mapping[str, Any]], keys: Iterable[str]
) -> list[tuple[str, list[Gain | None]]]:
    """For each name, the gain over it in each of `keys`; None for a metric that does not exist.

    Args:
        comparisons: by name and metric, the argument of `Gain.of`.
        keys: the keys of the metrics.
    """
    keys = list(keys)
    return [
        (name, [Gain.of(found[key]) if key in found else None for key in keys])
        for name, found in comparisons.items()
    ]


def facts(found: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Every leaf of a metrics file except its protocol and its lists, with its key in words."""
    kept = {key: value for key, value in found.items() if key != "protocol"}
    return [(key_words(key), value) for key, value in flat(kept) if not isinstance(value, list)]


def count_rows(columns: Iterable[Mapping[str, Any]]) -> list[tuple[str, list[object]]]:
    """A row for each count in any of `columns`, at any depth; None in columns that lack it."""
    leaves = [dict(flat(column)) for column in columns]
    keys = dict.fromkeys(key for column in leaves for key in column)
    return [(key_words(key), [column.get(key) for column in leaves]) for key in keys]


def markdown_table(heads: Sequence[str], alignment: str, rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown.

    Args:
        heads: the column headings.
        alignment: one character per column, `<` (left) or `>` (right).
        rows: cells in Markdown; text from outside must be passed through `code`.

    Raises:
        ValueError: the numbers of alignments and headings differ.
    """
    marks = {"<": ":--", ">": "--:"}
    line = [marks[one] for one, _ in zip(alignment, heads, strict=True)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, line, *rows))
