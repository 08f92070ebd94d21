"""The appearance of the series of a figure, and how names from outside get into a figure."""

from collections.abc import Iterable
from typing import NamedTuple

from newsrec.report.text import shortened, text_width

# Each has a contrast of at least 3:1 on white and on the page's dark background.
BLUE = "#3b8bd9"
ORANGE = "#e0782f"
COLORS = (ORANGE, BLUE, "#2f9e62", "#a866d6", "#d9476f")
# Two series are never distinguished by colour alone.
MARKERS = ("s", "o", "^", "D")
DASHES = ((0, (4, 1.5)), "solid", (0, (1, 1.2)), (0, (7, 1.5, 1, 1.5)))
# Columns of text that fit to the left of a dot plot.
LABEL_WIDTH = 26


class Look(NamedTuple):
    """Colour, marker and dashes of one series."""

    color: str
    marker: str
    dashes: object


def looks(num: int) -> list[Look]:
    """How to draw each of `num` series; up to 20 series are all different."""
    places = range(num) if num > 1 else [1]
    return [
        Look(
            COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)]
        )
        for place in places
    ]


def placeholders(names: Iterable[str], width: int = LABEL_WIDTH, start: int = 0) -> dict[str, str]:
    """For each name, a plain text of about its width and its replacement: see `inline_svg`."""
    shown = [shortened(name, width) for name in names]
    return {
        f":{place}:".ljust(text_width(text), "x"): text for place, text in enumerate(shown, start)
    }
