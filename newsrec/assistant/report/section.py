"""The part of the page on one task: its tables, matrices, slices and plots."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from newsrec.assistant.report.answered import Answered
from newsrec.assistant.report.figures import (
    ABOUT,
    Cell,
    cell,
    dot,
    gain,
    head,
    in_order,
    metrics_of,
    top,
)
from newsrec.assistant.report.mistakes import invented
from newsrec.assistant.report.verdict import best_baseline
from newsrec.assistant.tasks import Task
from newsrec.models.names import MODELS
from newsrec.report.figures import confusion_matrix, dot_limits, dot_plot
from newsrec.report.tables import Gain
from newsrec.report.text import percent, shortened

MAX_DRAWN = 6  # labels of a confusion matrix that is drawn; a larger one is a table
MAX_INVENTED = 50  # invented names that are listed
SLICE_WIDTH = 18  # columns of a slice's name beside its number of rows
OUTSIDE = "outside the list"
Plot = tuple[str, Markup, str]  # caption, drawing and what to know
BySlice = dict[str, dict[str, Any]]  # by slice and system, what metrics/slices.json holds


class SliceTables(NamedTuple):
    """What one metric shows in the slices of a task.

    Attributes:
        metric: its head.
        figures: of each slice the figures of the systems.
        gains: of each slice the gains of tuned over the other systems.
    """

    metric: str
    figures: list[tuple[str, list[Cell]]]
    gains: list[tuple[str, list[Gain | None]]]


class Section(NamedTuple):
    """What the template shows of a task.

    Attributes:
        name: of the task.
        instruction: the first line of its prompts.
        labels: the list to choose from; empty for other answers.
        none: the word for none, of a task that has one.
        about: what its figures are.
        is_left_out: of training.
        num_rows: of the test split.
        primary: the head of the primary metric.
        heads: of the metrics.
        rows: of each system the figures.
        comparisons: of each other system the gains of tuned.
        systems: all of them, the heads of the figures of `slices`.
        over: the heads of the gains of `slices`.
        slices: tables of each metric that slices have, the primary one first.
        matrix_tables: of base and tuned heads and rows, where there are too many labels to draw.
        plots: caption, drawing and text; first the gains, then the slices if there are any.
        matrices: the same, of base and tuned, where they can be drawn.
        num_invented: names, of the tuned model; None for other answers.
        invented: those that are listed.
    """

    name: str
    instruction: str
    labels: Sequence[str]
    none: str | None
    about: str
    is_left_out: bool
    num_rows: int
    primary: str
    heads: list[str]
    rows: list[tuple[str, list[Cell]]]
    comparisons: list[tuple[str, list[Gain | None]]]
    systems: list[str]
    over: list[str]
    slices: list[SliceTables]
    matrix_tables: list[tuple[str, list[str], list[tuple[str, list[Cell]]]]]
    plots: list[Plot]
    matrices: list[Plot]
    num_invented: int | None
    invented: list[dict[str, Any]]


def section(
    task: Task,
    figures: Mapping[str, Any],
    slices: Sequence[Mapping[str, Any]],
    matrices: Mapping[str, Any],
    rows: Sequence[Answered],
    *,
    is_left_out: bool,
) -> Section:
    """What is shown of one task.

    Args:
        task: from the table of tasks.
        figures: of the task, in metrics/evaluate.json.
        slices: of the task, in metrics/slices.json.
        matrices: by system, in metrics/confusion.json; empty where there are no labels.
        rows: of the test split, with the answers of tuned.
        is_left_out: of training.
    """
    metric, systems = figures["primary"], in_order(figures["systems"])
    metrics = metrics_of(figures["systems"])
    by_metric = _by_metric(slices)
    drawn = {name: matrices[name] for name in MODELS if name in matrices}
    is_large = any(len(found["labels"]) > MAX_DRAWN for found in drawn.values())
    num_invented, listed = invented(task, rows, MAX_INVENTED)
    plots = [_gains_plot(task.name, figures)]
    if metric in by_metric:
        plots.append(_slices_plot(task.name, figures, by_metric[metric]))
    return Section(
        name=task.name,
        instruction=task.instruction,
        labels=task.labels,
        none=task.none,
        about=ABOUT[task.answer],
        is_left_out=is_left_out,
        num_rows=figures["num_rows"],
        primary=head(metric),
        heads=[head(one) for one in metrics],
        rows=[
            (name, [cell(one, figures["systems"][name].get(one)) for one in metrics])
            for name in systems
        ],
        comparisons=[
            (name, [_gain(one, figures["gains"][name]) for one in metrics])
            for name in in_order(figures["gains"])
        ],
        systems=systems,
        over=[f"over {system}" for system in systems if system != "tuned"],
        slices=[_slice_tables(one, found, systems) for one, found in by_metric.items()],
        matrix_tables=[(name, *_matrix_table(found)) for name, found in drawn.items() if is_large],
        plots=plots,
        matrices=[
            _matrix_plot(task.name, name, found) for name, found in drawn.items() if not is_large
        ],
        num_invented=num_invented if task.answer == "span" else None,
        invented=listed,
    )


def _gain(metric: str, found: Mapping[str, Any]) -> Gain | None:
    return gain(metric, found[metric]) if metric in found else None


def _by_metric(slices: Sequence[Mapping[str, Any]]) -> dict[str, BySlice]:
    found: dict[str, BySlice] = {}
    for one in slices:
        found.setdefault(one["metric"], {}).setdefault(one["slice"], {})[one["system"]] = one
    return found


def _slice_tables(metric: str, by_slice: BySlice, systems: Sequence[str]) -> SliceTables:
    others = [system for system in systems if system != "tuned"]
    gains = {
        name: [found.get(system, {}).get("gain") for system in others]
        for name, found in by_slice.items()
    }
    return SliceTables(
        head(metric),
        [
            (_slice_name(name, found), [cell(metric, found.get(system)) for system in systems])
            for name, found in by_slice.items()
        ],
        [
            (_slice_name(name, by_slice[name]), [one and gain(metric, one) for one in of_slice])
            for name, of_slice in gains.items()
        ],
    )


def _slice_name(name: str, found: Mapping[str, Any], width: int = 2 * SLICE_WIDTH) -> str:
    num_rows = max(of_system["num_rows"] for of_system in found.values())
    return f"{shortened(name, width)} ({num_rows:,})"


def _matrix_table(found: Mapping[str, Any]) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    rows = [
        (label, [(f"{count:,}", percent(count / max(1, sum(counts)))) for count in counts])
        for label, counts in zip(found["labels"], found["rows"], strict=True)
    ]
    return [*found["labels"], OUTSIDE], rows


def _matrix_plot(task: str, system: str, found: Mapping[str, Any]) -> Plot:
    svg = confusion_matrix(
        found["rows"],
        row_names=found["labels"],
        column_names=[*found["labels"], OUTSIDE],
        title=f"{task}, {system}",
        x_label="answer",
    )
    return (
        f"Answers of {system}",
        Markup(svg),
        "Based on its free text. Each row is a true label, with counts and shares of the row; a "
        "stronger colour means a larger share.",
    )


def _gains_plot(task: str, figures: Mapping[str, Any]) -> Plot:
    metric = figures["primary"]
    rows = [
        (name, {"gain": dot(figures["gains"][name][metric])})
        for name in in_order(figures["gains"])
        if metric in figures["gains"][name]
    ]
    title = f"What tuned gains over each system by {head(metric)}"
    svg = dot_plot(
        rows,
        title=f"{title}, {task}",
        across=f"gain in {head(metric)}",
        limits=dot_limits((one for _, dots in rows for one in dots.values()), 0.0),
        reference=0.0,
    )
    about = (
        "Right of the line, tuned is better; if an interval crosses the line, the difference is "
        "not significant."
    )
    return title, Markup(svg), about


def _slices_plot(
    task: str, figures: Mapping[str, Any], by_slice: Mapping[str, Mapping[str, Any]]
) -> Plot:
    metric, baseline = figures["primary"], best_baseline(figures)
    series = [name for name in (baseline, *MODELS) if name is not None]
    rows = [
        (
            _slice_name(name, found, SLICE_WIDTH),
            {system: dot(found[system]) for system in series if system in found},
        )
        for name, found in by_slice.items()
    ]
    title = f"Parts of the test set by {head(metric)}"
    svg = dot_plot(
        rows,
        title=f"{title}, {task}",
        across=head(metric),
        limits=dot_limits((one for _, dots in rows for one in dots.values()), top(metric)),
        reference=top(metric),
    )
    return title, Markup(svg), "Numbers of rows are in brackets."
