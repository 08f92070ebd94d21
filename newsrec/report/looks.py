"""How the series of a figure look, and how names from outside get into one."""

from collections.abc import Iterable
from typing import NamedTuple

from newsrec.report.text import shortened, text_width

# Each with a contrast of 3:1 or more on white and on the page's dark background.
BLUE = "#3b8bd9"
ORANGE = "#e0782f"
COLORS = (ORANGE, BLUE, "#2f9e62", "#a866d6", "#d9476f")
# No colour alone distinguishes two series.
MARKERS = ("s", "o", "^", "D")
DASHES = ((0, (4, 1.5)), "solid", (0, (1, 1.2)), (0, (7, 1.5, 1, 1.5)))
# Columns of text that fit left of a dot plot.
LABEL_WIDTH = 26


class Look(NamedTuple):
    """Colour, marker and dashes of one series."""

    color: str
    marker: str
    dashes: object


def looks(num: int) -> list[Look]:
    """How to draw each of some series; any two of up to 20 differ."""
    places = range(num) if num > 1 else [1]
    return [
        Look(
            COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)]
        )
        for place in places
    ]


def placeholders(names: Iterable[str], width: int = LABEL_WIDTH, start: int = 0) -> dict[str, str]:
    """For each name a plain text of about its width, and what replaces it: see `inline_svg`."""
    shown = [shortened(name, width) for name in names]
    return {
        f":{place}:".ljust(text_width(text), "x"): text for place, text in enumerate(shown, start)
    }
