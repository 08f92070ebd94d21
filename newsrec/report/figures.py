"""The figures of the report, as inline SVG."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from newsrec.report.svg import INK, drawing, inline_svg
from newsrec.report.text import printable, score, shortened, signed

# Readable on white and on black, and told apart by their lightness too.
BLUE = "#3b8bd9"
ORANGE = "#e0782f"
# Under half: the page's own text colour has to stay readable on the fullest cell in both modes.
CELL_MAX_ALPHA = 0.45
# A line through fewer points than this is hard to tell from a line through many.
MARKER_MAX_POINTS = 40
# Columns of text that fit left of a dot plot.
LABEL_WIDTH = 26
# Of each series in turn: colour, marker and shift down, in rows.
_SERIES = ((ORANGE, "s", -0.14), (BLUE, "o", 0.14))


class Dot(NamedTuple):
    """A figure and the ends of its interval."""

    value: float
    low: float
    high: float


def loss_curve(train: pd.DataFrame, val: pd.DataFrame) -> str:
    """Loss by optimiser step.

    Args:
        train: columns step and loss, one row for each logged step.
        val: columns step and loss, one row for each validation; may be empty.
    """
    with drawing(4.8, 3.2) as (figure, axes):
        for name, frame, color in (("training", train, BLUE), ("validation", val, ORANGE)):
            axes.plot(
                frame["step"].to_numpy(),
                frame["loss"].to_numpy(),
                label=name,
                color=color,
                linewidth=1.6,
                marker="o" if len(frame) <= MARKER_MAX_POINTS else "",
                markersize=3.5,
            )
        axes.set_xlabel("step")
        axes.set_ylabel("loss, nats per answer token")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
        # Above the axes: a curve has no corner that is surely free.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
        label = f"Loss by step. {_last('Training', train)} {_last('Validation', val)}"
        return inline_svg(figure, label)


def roc_curves(base: pd.DataFrame, tuned: pd.DataFrame) -> str:
    """ROC of both models over all candidates as one list.

    Args:
        base: columns false_positive_rate and true_positive_rate, rising from (0, 0).
        tuned: the same of the tuned model.
    """
    with drawing(4.6, 4.2) as (figure, axes):
        _diagonal(axes)
        for name, frame, color, style in (
            ("base", base, ORANGE, (0, (4, 1.5))),
            ("tuned", tuned, BLUE, "solid"),
        ):
            axes.plot(
                frame["false_positive_rate"].to_numpy(),
                frame["true_positive_rate"].to_numpy(),
                label=name,
                color=color,
                linestyle=style,
                linewidth=1.6,
            )
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        axes.legend(loc="lower right")
        label = "ROC curves of base and tuned; the diagonal is a guess."
        areas = [
            np.trapezoid(frame["true_positive_rate"], frame["false_positive_rate"])
            for frame in (base, tuned)
        ]
        return inline_svg(
            figure, f"{label} Area {score(areas[0])} for base, {score(areas[1])} for tuned."
        )


def reliability(points: pd.DataFrame) -> str:
    """How often the user clicked where the model told a probability, raw and calibrated.

    Args:
        points: columns kind (raw or calibrated), mean_probability, click_rate and num_rows; a dot's
            area grows with its rows.
    """
    most = points["num_rows"].max()
    told = []
    with drawing(4.6, 4.2) as (figure, axes):
        _diagonal(axes)
        for kind, color, marker in (("raw", ORANGE, "s"), ("calibrated", BLUE, "o")):
            of_kind = points[points["kind"] == kind].sort_values("mean_probability")
            across, up = of_kind["mean_probability"].to_numpy(), of_kind["click_rate"].to_numpy()
            sizes = 12 + 70 * of_kind["num_rows"].to_numpy() / most
            axes.plot(across, up, color=color, linewidth=1.2)
            axes.scatter(across, up, s=sizes, color=color, marker=marker, label=kind, zorder=3)
            pairs = zip(across, up, strict=True)
            told.append(f"{kind}: " + ", ".join(f"{x:.2f} clicked {y:.2f}" for x, y in pairs))
        axes.set_xlabel("probability of a click, as told")
        axes.set_ylabel("share clicked")
        axes.legend(loc="upper left")
        return inline_svg(figure, f"Reliability of the tuned model. {'; '.join(told)}.")


def confusion_matrix(tn: int, fp: int, fn: int, tp: int, title: str) -> str:
    """Truth in rows, answer in columns; a cell's shade is its share of its row.

    `title` becomes part of the accessible label and of the ids, so figures on one page need
    different titles.
    """
    rows = (("not clicked", (tn, fp)), ("clicked", (fn, tp)))
    with drawing(4.4, 2.9) as (figure, axes):
        for row, (_, counts) in enumerate(rows):
            for column, count in enumerate(counts):
                _cell(axes, row, column, count, sum(counts))
        axes.set_xlim(0, 2)
        axes.set_ylim(2, 0)
        axes.set_xticks([0.5, 1.5], ["No", "Yes"])
        axes.set_yticks([0.5, 1.5], [name for name, _ in rows])
        axes.set_xlabel("answer")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        label = (
            f"Confusion matrix of {printable(title)}: {tp} true positives, {fp} false positives, "
            f"{fn} false negatives, {tn} true negatives."
        )
        return inline_svg(figure, label, seed=title)


def dot_plot(
    rows: Sequence[tuple[str, Mapping[str, Dot]]],
    *,
    title: str,
    across: str,
    limits: tuple[float, float],
    reference: float,
) -> str:
    """A row for each name, in it a dot with its interval for each series.

    Args:
        rows: a name, from wherever, and the dots by series; series have the order of the first row.
        title: for the accessible label; figures on one page need different ones.
        across: what the horizontal axis measures.
        limits: of the horizontal axis.
        reference: where a thin line stands: the value that means nothing.
    """
    names = list(dict.fromkeys(series for _, dots in rows for series in dots))
    height = 0.95 + 0.34 * len(rows)
    with drawing(5.2, height, constrained=False) as (figure, axes):
        figure.subplots_adjust(left=0.37, right=0.96, bottom=0.58 / height, top=1 - 0.3 / height)
        axes.axvline(reference, color=INK, alpha=0.45, linewidth=0.9)
        for series, (color, marker, shift) in zip(
            names, _SERIES if len(names) > 1 else _SERIES[1:], strict=False
        ):
            drawn = [(row, dots[series]) for row, (_, dots) in enumerate(rows) if series in dots]
            heights = [row + (shift if len(names) > 1 else 0) for row, _ in drawn]
            axes.hlines(
                heights, [dot.low for _, dot in drawn], [dot.high for _, dot in drawn], color=color
            )
            values = [dot.value for _, dot in drawn]
            axes.plot(values, heights, marker, color=color, markersize=5, label=series)
        axes.set_xlim(*limits)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        # The finished drawing gets the names: see `inline_svg`.
        texts = {f"@{row}@": shortened(name, LABEL_WIDTH) for row, (name, _) in enumerate(rows)}
        axes.set_yticks(range(len(rows)), list(texts))
        axes.tick_params(axis="y", length=0, labelsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.8)
        axes.set_xlabel(across)
        axes.spines["left"].set_visible(False)
        if len(names) > 1:
            place = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.97), "ncols": len(names)}
            axes.legend(**place, borderaxespad=0, handletextpad=0.2, columnspacing=1)
        label = f"{printable(title)}. {_told(rows)}"
        return inline_svg(figure, label, seed=title, texts=texts)


def _told(rows: Sequence[tuple[str, Mapping[str, Dot]]]) -> str:
    """What a dot plot shows, for a screen reader."""
    lines = []
    for name, dots in rows:
        told = ", ".join(
            f"{series} {signed(dot.value)} ({signed(dot.low)} to {signed(dot.high)})"
            for series, dot in dots.items()
        )
        lines.append(f"{printable(name)}: {told}.")
    return " ".join(lines)


def _cell(axes: Axes, row: int, column: int, count: int, row_total: int) -> None:
    """One cell of a confusion matrix: shade, count and share of its row."""
    share = count / row_total if row_total else 0.0
    shade = Rectangle((column, row), 1, 1, facecolor=BLUE, alpha=CELL_MAX_ALPHA * share)
    frame = Rectangle((column, row), 1, 1, fill=False, edgecolor=INK, alpha=0.35, linewidth=0.8)
    axes.add_patch(shade)
    axes.add_patch(frame)
    percent = f"{share:.1%} of row" if row_total else "no such row"
    axes.text(column + 0.5, row + 0.42, f"{count:,}", ha="center", va="center", fontsize=14)
    axes.text(column + 0.5, row + 0.72, percent, ha="center", va="center", fontsize=10)


def _diagonal(axes: Axes) -> None:
    """A unit square with its diagonal."""
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=0.9)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.grid(color=INK, alpha=0.12, linewidth=0.8)


def _last(name: str, frame: pd.DataFrame) -> str:
    """A sentence that tells a screen reader what a line shows."""
    if frame.empty:
        return f"{name}: nothing logged."
    last = frame.iloc[-1]
    return f"{name}: {len(frame)} points, {last['loss']:.4f} at step {int(last['step'])}."
