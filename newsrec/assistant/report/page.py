"""The report of a run of the assistant pipeline as one HTML page."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from newsrec.assistant.report import judged
from newsrec.assistant.report.answered import Answered
from newsrec.assistant.report.figures import Metrics
from newsrec.assistant.report.mistakes import examples, fault, telling_mistakes
from newsrec.assistant.report.section import section
from newsrec.assistant.report.verdict import notices, sentences, task_verdicts, verdict
from newsrec.assistant.tasks import Task
from newsrec.models.names import MODELS
from newsrec.report.curves import loss_curve, step_curves
from newsrec.report.page import render_page
from newsrec.report.tables import count_rows, facts
from newsrec.report.text import counted, flat

Group = tuple[str, list[dict[str, Any]], str]  # as the macro `cards` takes it
SCORES = [f"score_{name}" for name in MODELS]
OTHERS = ("prepare", "baselines", "merge")  # stages whose facts are shown below
STAGES = ("fetch_model", "train", *SCORES, *OTHERS)
TIMED = ("train", *SCORES)


def render(
    *,
    tasks: Mapping[str, Task],
    metrics: Metrics,
    slices: Sequence[Mapping[str, Any]],
    confusion: Mapping[str, Any],
    stages: Mapping[str, Mapping[str, Any]],
    timings: Mapping[str, Mapping[str, Any]],
    answers: Mapping[str, Sequence[Answered]],
    train_loss: pd.DataFrame,
    val_loss: pd.DataFrame,
    val_loss_parts: pd.DataFrame,
    num_examples: int,
    num_mistakes: int,
) -> str:
    """The whole page; equal input gives equal bytes.

    Args:
        tasks: the table of tasks.
        metrics: what metrics/evaluate.json holds; slices and confusion likewise.
        stages: what metrics/NAME.json holds of `STAGES`.
        timings: what metrics/timings/NAME.json holds of `TIMED`.
        answers: of each task the test rows with the answers of all systems.
        train_loss: columns step and loss.
        val_loss: the same; may be empty.
        val_loss_parts: columns step and the tasks that were trained.
        num_examples: of each task.
        num_mistakes: of each task, at most.
    """
    verdicts = task_verdicts(metrics)
    found, judges = verdict(verdicts), judged.judged_tasks(metrics["judge"])
    return render_page(
        Path(__file__).parent,
        "page.html.j2",
        kicker=f"An assistant of {len(metrics['tasks'])} tasks: a fine-tuned language model",
        title=found.title,
        lead=found.text,
        notices=notices(verdicts, stages["fetch_model"]),
        fingerprint=[
            *metrics["protocol"].items(),
            ("model digest", stages["fetch_model"]["digest"]),
        ],
        verdicts=[(one, sentences(one)) for one in verdicts],
        sections=[
            section(
                tasks[name],
                figures,
                [one for one in slices if one["task"] == name],
                confusion.get(name, {}),
                answers[name],
                is_left_out=name == metrics["left_out"],
            )
            for name, figures in metrics["tasks"].items()
        ],
        examples=[_examples(tasks[name], answers[name], num_examples) for name in metrics["tasks"]],
        mistakes=[_mistakes(tasks[name], answers[name], num_mistakes) for name in metrics["tasks"]],
        num_wrong=_num_wrong(tasks, answers),
        judge=judges,
        judge_heads=["pairs", "same answer", *judged.HEADS.values()],
        judge_counts=[(task.name, task.counts) for task in judges],
        judge_share_heads=["tuned preferred", "agreement with itself"],
        judge_shares=[(task.name, task.shares) for task in judges],
        speed=[
            (name, [timings[f"score_{name}"][key] for key in ("prompts_per_second", "seconds")])
            for name in MODELS
        ],
        machines=_machines(timings),
        loss_svg=Markup(loss_curve(train_loss, val_loss, y_label="loss, nats per token")),
        parts_svg=Markup(_parts_curve(val_loss_parts)),
        training=facts(stages["train"]),
        scored=_columns(stages[name] for name in SCORES),
        models=MODELS,
        stages=[(name, facts(stages[name])) for name in OTHERS],
        timed=TIMED,
        provenance=count_rows(_provenance(timings[name]) for name in TIMED),
    )


def _parts_curve(losses: pd.DataFrame) -> str:
    """The loss of validation by task."""
    series = {
        name: losses[["step", name]].rename(columns={name: "value"})
        for name in losses.columns.drop("step")
    }
    return step_curves(
        series, title="Validation loss by step and task", y_label="loss, nats per token"
    )


def _examples(task: Task, rows: Sequence[Answered], num: int) -> Group:
    return task.name, examples(task, rows, num), "No examples."


def _mistakes(task: Task, rows: Sequence[Answered], num: int) -> Group:
    return task.name, telling_mistakes(task, rows, num), f"{task.name}: none."


def _num_wrong(tasks: Mapping[str, Task], answers: Mapping[str, Sequence[Answered]]) -> str:
    """How many answers of each task are mistakes, of which only some are shown."""
    found = []
    for name, rows in answers.items():
        wrong = sum(fault(tasks[name], row, row.answers["tuned"]) is not None for row in rows)
        found.append(f"{name} {wrong:,} of {counted(len(rows), 'answer')}")
    return "; ".join(found)


def _columns(of_stages: Iterable[Mapping[str, Any]]) -> list[tuple[str, list[object]]]:
    return count_rows(dict(facts(found)) for found in of_stages)


def _machines(timings: Mapping[str, Mapping[str, Any]]) -> str:
    """What the two models were scored on."""
    found = dict.fromkeys(
        ", ".join((made_by["cpu"], *made_by["gpus"]))
        for made_by in (timings[name]["provenance"] for name in SCORES)
    )
    return "; ".join(found)


def _provenance(timing: Mapping[str, Any]) -> dict[str, object]:
    """Its leaves; a list as one text."""
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in flat(timing["provenance"])
    }
