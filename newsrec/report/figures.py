"""Figures of counts and of figures with intervals, as inline SVG."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from newsrec.report.looks import BLUE, looks, placeholders
from newsrec.report.svg import INK, drawing, inline_svg
from newsrec.report.text import printable, signed, text_width

# Below one half, so that the page's text colour stays readable on the fullest cell in both modes.
CELL_MAX_ALPHA = 0.45
# Columns of text per inch of a tick label.
_COLUMNS_PER_INCH = 9
# Inches up to which the columns of a confusion matrix are widened to fit their names.
_MAX_COLUMNS_WIDTH = 7.2


class Dot(NamedTuple):
    """A figure and the ends of its interval."""

    value: float
    low: float
    high: float


def confusion_matrix(
    counts: npt.ArrayLike,
    *,
    row_names: Sequence[str],
    column_names: Sequence[str],
    title: str,
    x_label: str,
) -> str:
    """Plot labels in rows and predictions in columns; the shade of a cell is its share of its row.

    Args:
        counts: number of rows of data by label and prediction, int, shape
            (row_names, column_names).
        row_names: names of the labels.
        column_names: names of the predictions, in the order of the labels.
        title: for the accessible label; figures on one page need different ones.
        x_label: the name of the columns.
    """
    matrix = np.asarray(counts)
    wide = len(column_names) <= 3
    least_width, cell_height = (1.7, 1.0) if wide else (1.0, 0.65)  # inches
    cell_width = max(least_width, _fitting_width(column_names))
    columns = placeholders(column_names, int(cell_width * _COLUMNS_PER_INCH))
    rows = placeholders(row_names, start=len(columns))
    lines = []
    with drawing(1 + cell_width * len(columns), 0.9 + cell_height * len(rows)) as (figure, axes):
        for row, (name, of_row) in enumerate(zip(row_names, matrix, strict=True)):
            for column, count in enumerate(of_row):
                _cell(axes, row, column, int(count), int(of_row.sum()), " of row" if wide else "")
            cells = zip(column_names, of_row, strict=True)
            lines.append(f"{name}: {', '.join(f'{answer} {count}' for answer, count in cells)}")
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows), 0)
        axes.set_xticks(np.arange(len(columns)) + 0.5, list(columns))
        axes.set_yticks(np.arange(len(rows)) + 0.5, list(rows))
        axes.set_xlabel(x_label)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        label = printable(f"Confusion matrix of {title}, {x_label} by label. {'; '.join(lines)}.")
        return inline_svg(figure, label, seed=title, texts=columns | rows)


def dot_plot(
    rows: Sequence[tuple[str, Mapping[str, Dot]]],
    *,
    title: str,
    across: str,
    limits: tuple[float, float],
    reference: float,
) -> str:
    """Plot a row for each name, with a dot and its interval for each series.

    Args:
        rows: a name, from any source, and the dots by series; the first row sets their order.
        title: for the accessible label; figures on one page need different ones.
        across: the label of the horizontal axis.
        limits: the limits of the horizontal axis, see `dot_limits`.
        reference: the value at which a thin line marks no effect.
    """
    names = list(dict.fromkeys(series for _, dots in rows for series in dots))
    step = min(0.28, 0.7 / max(1, len(names)))
    height = 0.95 + 0.34 * len(rows) * max(1.0, len(names) / 3)
    with drawing(5.2, height, constrained=False) as (figure, axes):
        figure.subplots_adjust(left=0.37, right=0.96, bottom=0.58 / height, top=1 - 0.3 / height)
        axes.axvline(reference, color=INK, alpha=0.45, linewidth=0.9)
        for place, (series, look) in enumerate(zip(names, looks(len(names)), strict=True)):
            drawn = [(row, dots[series]) for row, (_, dots) in enumerate(rows) if series in dots]
            heights = [row + step * (place - (len(names) - 1) / 2) for row, _ in drawn]
            lows, highs = [dot.low for _, dot in drawn], [dot.high for _, dot in drawn]
            axes.hlines(heights, lows, highs, color=look.color)
            values = [dot.value for _, dot in drawn]
            axes.plot(values, heights, look.marker, color=look.color, markersize=5, label=series)
        axes.set_xlim(*limits)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        texts = placeholders(name for name, _ in rows)
        axes.set_yticks(range(len(rows)), list(texts))
        axes.tick_params(axis="y", length=0, labelsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.8)
        axes.set_xlabel(across)
        axes.spines["left"].set_visible(False)
        if len(names) > 1:
            place_above = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.97)}
            axes.legend(
                **place_above,
                ncols=len(names),
                borderaxespad=0,
                handletextpad=0.2,
                columnspacing=1,
            )
        return inline_svg(figure, f"{printable(title)}. {_dots(rows)}", seed=title, texts=texts)


def dot_limits(dots: Iterable[Dot], reference: float) -> tuple[float, float]:
    """Limits that include every interval and the reference, for dot plots on the same scale."""
    dots = list(dots)
    low = min([reference, *(dot.low for dot in dots)])
    high = max([reference, *(dot.high for dot in dots)])
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _dots(rows: Sequence[tuple[str, Mapping[str, Dot]]]) -> str:
    """A description of a dot plot, for a screen reader."""
    return " ".join(
        f"{printable(name)}: "
        + ", ".join(
            f"{series} {signed(dot.value)} ({signed(dot.low)} to {signed(dot.high)})"
            for series, dot in dots.items()
        )
        + "."
        for name, dots in rows
    )


def _fitting_width(names: Sequence[str]) -> float:
    """Inches for the longest column name, limited so that all columns fit side by side."""
    longest = max(map(text_width, names)) / _COLUMNS_PER_INCH
    return min(longest, _MAX_COLUMNS_WIDTH / len(names))


def _cell(axes: Axes, row: int, column: int, count: int, row_total: int, unit: str) -> None:
    """Draw one cell of a confusion matrix: its shade, count and share of its row."""
    share = count / row_total if row_total else 0.0
    shade = Rectangle((column, row), 1, 1, facecolor=BLUE, alpha=CELL_MAX_ALPHA * share)
    frame = Rectangle((column, row), 1, 1, fill=False, edgecolor=INK, alpha=0.35, linewidth=0.8)
    axes.add_patch(shade)
    axes.add_patch(frame)
    percent = f"{share:.1%}{unit}" if row_total else "no rows"
    axes.text(column + 0.5, row + 0.42, f"{count:,}", ha="center", va="center", fontsize=14)
    axes.text(column + 0.5, row + 0.72, percent, ha="center", va="center", fontsize=10)
