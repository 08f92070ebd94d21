"""Curves for a report, as inline SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from newsrec.errors import UserError
from newsrec.report.looks import BLUE, ORANGE, looks, placeholders
from newsrec.report.svg import INK, drawing, inline_svg
from newsrec.report.text import printable, score

# A line through fewer points than this is hard to distinguish from a line through many.
MARKER_MAX_POINTS = 40


def read_plot(source: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of `plots/` that `newsrec.files.write_tsv` wrote.

    Raises:
        UserError: the file is missing, is not such a table, or lacks one of the columns.
    """
    try:
        table = pd.read_csv(source, sep="\t")
    except FileNotFoundError:
        raise UserError(
            f"{source}: no such file; run the stage that makes it (dvc repro)"
        ) from None
    except ValueError as error:  # also the errors of pandas' parser
        raise UserError(
            f"{source}: not a table of tab-separated values ({error}); make it again with: "
            "dvc repro"
        ) from None
    if missing := [name for name in columns if name not in table]:
        raise UserError(
            f"{source}: no column {', '.join(missing)}; expected {list(columns)}, found "
            f"{list(table)}; make it again with: dvc repro"
        )
    return table


def loss_curve(train: pd.DataFrame, val: pd.DataFrame, *, y_label: str) -> str:
    """Plot the loss by optimiser step.

    Args:
        train: columns step and loss, one row for each logged step.
        val: columns step and loss, one row for each validation; may be empty.
        y_label: the name of the loss and its unit.
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
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
        # Above the axes, as the curve may run through any corner.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
        label = f"Loss by step. {_last('Training', train)} {_last('Validation', val)}"
        return inline_svg(figure, label)


def step_curves(series: Mapping[str, pd.DataFrame], *, title: str, y_label: str) -> str:
    """Plot a figure of several runs by optimiser step.

    Args:
        series: for each name, columns step and value; steps increase; at least one row.
        title: for the accessible label; figures on one page need different ones.
        y_label: the name of the value.
    """
    with drawing(4.8, 3.4) as (figure, axes):
        names = placeholders(series)
        for frame, text, look in zip(series.values(), names, looks(len(series)), strict=True):
            axes.plot(
                frame["step"].to_numpy(),
                frame["value"].to_numpy(),
                label=text,
                color=look.color,
                linestyle=look.dashes,
                linewidth=1.6,
                marker=look.marker if len(frame) <= MARKER_MAX_POINTS else "",
                markersize=4,
            )
        axes.set_xlabel("step")
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0)
        shown = [
            f"{printable(name)}: {score(float(frame['value'].iloc[0]))} at step "
            f"{int(frame['step'].iloc[0])}, {score(float(frame['value'].iloc[-1]))} at step "
            f"{int(frame['step'].iloc[-1])}"
            for name, frame in series.items()
        ]
        return inline_svg(figure, f"{printable(title)}. {'; '.join(shown)}.", title, names)


def roc_curves(series: Mapping[str, pd.DataFrame]) -> str:
    """Plot ROC curves, for example of several models or of several classes against the rest.

    Args:
        series: for each name, columns false_positive_rate and true_positive_rate, increasing from
            (0, 0); empty if there is no curve.
    """
    with drawing(4.6, 4.2) as (figure, axes):
        _diagonal(axes)
        names = _unit_curves(axes, series, ("false_positive_rate", "true_positive_rate"))
        axes.legend(loc="lower right")
        areas = [
            f"{printable(name)}: " + (f"area {score(_area(frame))}" if len(frame) else "no curve")
            for name, frame in series.items()
        ]
        label = f"ROC curves; the diagonal corresponds to random guessing. {', '.join(areas)}."
        return inline_svg(figure, label, texts=names)


def precision_recall_curves(series: Mapping[str, pd.DataFrame], *, title: str) -> str:
    """Plot precision by recall, for example of several models or of several classes.

    Args:
        series: for each name, columns recall and precision; recall increases or decreases; empty if
            there is no curve.
        title: for the accessible label; figures on one page need different ones.
    """
    with drawing(4.6, 4.2) as (figure, axes):
        _unit_square(axes)
        # In steps, as average precision sums them: points are not interpolated linearly.
        falling = {name: one.sort_values("recall", ascending=False) for name, one in series.items()}
        names = _unit_curves(axes, falling, ("recall", "precision"), "steps-post")
        axes.legend(loc="lower left")
        shown = [
            f"{printable(name)}: "
            + (f"precision {score(_at_half(frame))} at recall 0.5" if len(frame) else "no curve")
            for name, frame in series.items()
        ]
        return inline_svg(figure, f"{printable(title)}. {', '.join(shown)}.", title, names)


def reliability(points: pd.DataFrame, *, title: str, x_label: str, y_label: str) -> str:
    """Plot how often an event occurred against the probability that a model predicted for it.

    Args:
        points: columns kind (such as raw and calibrated), mean_probability, positive_rate and
            num_rows; the area of a dot grows with its number of rows.
        title: for the accessible label; figures on one page need different ones.
        x_label: the name of mean_probability.
        y_label: the name of positive_rate.
    """
    most = points["num_rows"].max()
    kinds = list(points["kind"].unique())
    shown = []
    with drawing(4.6, 4.2) as (figure, axes):
        _diagonal(axes)
        for kind, look in zip(kinds, looks(len(kinds)), strict=True):
            of_kind = points[points["kind"] == kind].sort_values("mean_probability")
            across = of_kind["mean_probability"].to_numpy()
            up = of_kind["positive_rate"].to_numpy()
            sizes = 12 + 70 * of_kind["num_rows"].to_numpy() / most
            axes.plot(across, up, color=look.color, linewidth=1.2)
            axes.scatter(
                across, up, s=sizes, color=look.color, marker=look.marker, label=kind, zorder=3
            )
            pairs = zip(across, up, strict=True)
            shown.append(f"{kind}: " + ", ".join(f"{y:.2f} at {x:.2f}" for x, y in pairs))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.legend(loc="upper left")
        label = f"{title}: {y_label}, by {x_label}. {'; '.join(shown)}."
        return inline_svg(figure, label)


def _unit_curves(
    axes: Axes,
    series: Mapping[str, pd.DataFrame],
    columns: tuple[str, str],
    drawstyle: str = "default",
) -> dict[str, str]:
    """Draw a line for each series and label the axes by the columns; return `placeholders`."""
    names = placeholders(series)
    for frame, text, look in zip(series.values(), names, looks(len(series)), strict=True):
        across, up = (frame[name].to_numpy() for name in columns)
        axes.plot(
            across,
            up,
            label=text,
            color=look.color,
            linestyle=look.dashes,
            linewidth=1.6,
            drawstyle=drawstyle,
        )
    axes.set_xlabel(columns[0].replace("_", " "))
    axes.set_ylabel(columns[1].replace("_", " "))
    return names


def _area(frame: pd.DataFrame) -> float:
    return float(np.trapezoid(frame["true_positive_rate"], frame["false_positive_rate"]))


def _at_half(frame: pd.DataFrame) -> float:
    """Precision at the point whose recall is nearest to 0.5."""
    return float(frame["precision"].iloc[(frame["recall"] - 0.5).abs().to_numpy().argmin()])


def _diagonal(axes: Axes) -> None:
    """A unit square with its diagonal."""
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=0.9)
    _unit_square(axes)


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.grid(color=INK, alpha=0.12, linewidth=0.8)


def _last(name: str, frame: pd.DataFrame) -> str:
    """A sentence about the end of a line, for a screen reader."""
    if frame.empty:
        return f"{name}: nothing logged."
    last = frame.iloc[-1]
    return f"{name}: {len(frame)} points, {last['loss']:.4f} at step {int(last['step'])}."
