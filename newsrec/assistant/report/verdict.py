"""What the figures of a run show of each task, in sentences no wider than their intervals.

Every function takes what metrics/evaluate.json holds, or what `task_verdicts` makes of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from newsrec.assistant.report.figures import NAMES, SYSTEMS, Cell, Metrics, cell, gain, head
from newsrec.assistant.tables import BASELINES, MIN_CLUSTERS
from newsrec.report.tables import BETTER, SAME, WORSE, Gain
from newsrec.report.text import DASH, counted, p_value, tiny_notice

BASE, BASELINE = "its base", "the best baseline"
_IS = {
    BETTER: "is better than {}",
    WORSE: "is worse than {}",
    SAME: "is not significantly different from {}",
}


class Rival(NamedTuple):
    """A system beside the tuned model: its figure, and what tuned has more."""

    name: str
    figure: Cell
    gain: Gain


class TaskVerdict(NamedTuple):
    """What the primary metric of a task shows.

    Attributes:
        name: of the task.
        metric: the head of the primary one.
        num_rows: of the test split.
        num_clusters: of near copies among these.
        tuned: its figure.
        base: None where the two were not compared.
        baseline: the one with the highest figure; None where no baseline was compared.
        external: the systems of data/outside that answered it.
        by_text: whether choices of labels were not counted, as only one model picked some.
        left_out: whether the model was trained without this task.
    """

    name: str
    metric: str
    num_rows: int
    num_clusters: int
    tuned: Cell
    base: Rival | None
    baseline: Rival | None
    external: list[Rival]
    by_text: bool
    left_out: bool


class Verdict(NamedTuple):
    """The answer in a few words, and sentences on all tasks."""

    title: str
    text: str


def task_verdicts(metrics: Metrics) -> list[TaskVerdict]:
    """One of each task, in the order of the tasks."""
    return [
        _task_verdict(name, task, name == metrics["left_out"])
        for name, task in metrics["tasks"].items()
    ]


def best_baseline(task: Mapping[str, Any]) -> str | None:
    """The baseline with the highest figure by the primary metric; None where none was compared."""
    metric, systems = task["primary"], task["systems"]
    others = [name for name, of in task["gains"].items() if name in BASELINES and metric in of]
    return max(others, key=lambda name: float(systems[name][metric]["value"]), default=None)


def _task_verdict(name: str, task: Mapping[str, Any], left_out: bool) -> TaskVerdict:
    metric, systems, gains = task["primary"], task["systems"], task["gains"]

    def rival(other: str | None) -> Rival | None:
        if other is None or metric not in gains.get(other, {}):
            return None
        return Rival(
            other, cell(metric, systems[other][metric]), gain(metric, gains[other][metric])
        )

    return TaskVerdict(
        name=name,
        metric=head(metric),
        num_rows=task["num_rows"],
        num_clusters=task["num_clusters"],
        tuned=cell(metric, systems["tuned"][metric]),
        base=rival("base"),
        baseline=rival(best_baseline(task)),
        external=[one for name in gains if name not in SYSTEMS and (one := rival(name))],
        by_text=task["by_text"],
        left_out=left_out,
    )


def sentences(task: TaskVerdict) -> str:
    """The verdict on one task."""
    value, interval = task.tuned
    low, high = interval.split(DASH)
    untrained = "It was not trained on this task. " if task.left_out else ""
    text = (
        f"{untrained}The tuned model's {task.metric} is {value} (95 % interval {low} to {high}) on "
        f"{counted(task.num_rows, 'test row')}. "
    )
    text += f"It {_against(task.base)}. " if task.base else "It was not compared with its base. "
    if task.baseline is None:
        text += "No baseline was measured on this task."
    else:
        text += f"It {_against(task.baseline, f'{BASELINE}, ')}."
    return text + "".join(f" It {_against(one, 'the external system ')}." for one in task.external)


def _against(found: Rival, role: str = "") -> str:
    """Better than, worse than or no different from a rival, and by how much."""
    phrase = _IS[found.gain.outcome].format(role + NAMES.get(found.name, found.name))
    return f"{phrase} ({found.figure[0]}): {found.gain}, {p_value(found.gain.p)}"


def verdict(tasks: Sequence[TaskVerdict]) -> Verdict:
    """Of all tasks that the model was trained on, by the primary metric of each."""
    trained = [task for task in tasks if not task.left_out]
    every = "every task" if len(trained) == len(tasks) else "every task that it was trained on"
    rivals = {
        BASE: {task.name: task.base.gain.outcome for task in trained if task.base},
        BASELINE: {task.name: task.baseline.gain.outcome for task in trained if task.baseline},
    }
    rivals = {rival: outcomes for rival, outcomes in rivals.items() if outcomes}
    num_rows = sum(task.num_rows for task in tasks)
    text = [
        f"Each of the {counted(len(tasks), 'task')} is judged by its primary metric, on "
        f"{counted(num_rows, 'test row')} in total."
    ]
    text += [
        _all_outcomes(rival, outcomes, every, len(trained)) for rival, outcomes in rivals.items()
    ]
    if without := [task.name for task in trained if not task.baseline]:
        text.append(f"No baseline was measured on {_listed(without)}.")
    if untrained := [task.name for task in tasks if task.left_out]:
        text.append(
            f"The task {_listed(untrained)} is not counted: the model was not trained on it."
        )
    return Verdict(_title(rivals, every, len(trained)), " ".join(text))


def _title(rivals: Mapping[str, Mapping[str, str]], every: str, num_tasks: int) -> str:
    """The tuned model against each rival; a rival that is better is named with its tasks."""
    if not rivals:
        return "The tuned model was not compared"
    if all(
        len(outcomes) == num_tasks and set(outcomes.values()) == {BETTER}
        for outcomes in rivals.values()
    ):
        return f"The tuned model is better than {' and than '.join(rivals)} on {every}"
    parts = []
    for rival, outcomes in rivals.items():
        of = {kind: [name for name, found in outcomes.items() if found == kind] for kind in _IS}
        if of[WORSE]:
            parts.append(f"is worse than {rival} on {_listed(of[WORSE])}")
        elif of[BETTER]:
            num = len(of[BETTER])
            where = every if num == num_tasks else f"{num} of {counted(num_tasks, 'task')}"
            parts.append(f"is better than {rival} on {where}")
        else:
            parts.append(f"is not significantly different from {rival} on any task")
    return f"The tuned model {' and '.join(parts)}"


def _all_outcomes(rival: str, outcomes: Mapping[str, str], every: str, num_tasks: int) -> str:
    """A sentence with the tasks of each outcome."""
    parts = []
    for kind, phrase in _IS.items():
        names = [name for name, found in outcomes.items() if found == kind]
        if names:
            everywhere = every.replace("every", "any", 1) if kind == SAME else every
            where = everywhere if len(names) == num_tasks else _listed(names)
            parts.append(f"{phrase.format(rival)} on {where}")
    return f"The tuned model {'; it '.join(parts)}."


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def notices(tasks: Sequence[TaskVerdict], model: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Kind, title and text of what to know before reading the figures.

    Args:
        tasks: of `task_verdicts`.
        model: what metrics/fetch_model.json holds.
    """
    found = [("note", "Tiny model.", tiny_notice(model))]
    found += [
        (
            "warn",
            f"{task.name} was left out of training.",
            "Its figures are those of a model that was trained on the other tasks only. To see "
            "what this costs, compare them with those of a model that was trained on it, whose "
            f"answers can be evaluated as external answers (data/outside). {sentences(task)}",
        )
        for task in tasks
        if task.left_out
    ]
    found += [
        (
            "warn",
            f"{task.name} is measured by free text.",
            "The server kept only one of the two models to the list of labels. A constrained "
            "choice cannot be compared with free text, so all figures of the task are of the "
            "free text.",
        )
        for task in tasks
        if task.by_text
    ]
    found += [
        (
            "warn",
            f"{task.name} has too few test rows for a verdict.",
            f"Its {counted(task.num_rows, 'test row')} lie in "
            f"{counted(task.num_clusters, 'cluster')} of near copies. With fewer than "
            f"{MIN_CLUSTERS}, no exact test can show a difference, whatever the figures are.",
        )
        for task in tasks
        if task.num_clusters < MIN_CLUSTERS
    ]
    return [notice for notice in found if notice[2]]
