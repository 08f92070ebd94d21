"""The short form of the report: Markdown for a pull request."""

from collections.abc import Mapping, Sequence
from typing import Any

from newsrec.assistant.report.figures import Metrics
from newsrec.assistant.report.verdict import Rival, TaskVerdict, notices, task_verdicts, verdict
from newsrec.report.tables import BETTER, SAME, WORSE, markdown_table
from newsrec.report.text import DASH, code, signed

HEADS = (
    *("task", "test rows", "metric", "tuned (95 % interval)", "base", "tuned against base"),
    *("best baseline", "tuned against it"),
)
_WORDS = {BETTER: "better", WORSE: "worse", SAME: SAME}


def summary_markdown(metrics: Metrics, model: Mapping[str, Any]) -> str:
    """The verdict, a row for each task and the protocol.

    Args:
        metrics: what metrics/evaluate.json holds.
        model: what metrics/fetch_model.json holds.
    """
    tasks = task_verdicts(metrics)
    found = verdict(tasks)
    parts = [f"**{found.title}**", found.text]
    parts += [f"> **{title}** {text}" for _, title, text in notices(tasks, model)]
    parts.append(_table(tasks))
    protocol = "; ".join(f"{key} {code(value)}" for key, value in metrics["protocol"].items())
    parts.append(f"Protocol: {protocol}.")
    return "\n\n".join(parts) + "\n"


def _table(tasks: Sequence[TaskVerdict]) -> str:
    rows = [
        (
            code(task.name) + (" (not trained on)" if task.left_out else ""),
            f"{task.num_rows:,}",
            task.metric,
            f"{task.tuned[0]} ({task.tuned[1]})",
            task.base.figure[0] if task.base else DASH,
            _against(task.base),
            f"{code(task.baseline.name)} {task.baseline.figure[0]}" if task.baseline else DASH,
            _against(task.baseline),
        )
        for task in tasks
    ]
    return markdown_table(HEADS, "<><>><><", rows)


def _against(rival: Rival | None) -> str:
    if rival is None:
        return "not measured"
    gain = rival.gain
    delta, low, high = (signed(end, gain.digits) for end in (gain.delta, gain.low, gain.high))
    return f"{_WORDS[gain.outcome]}: {delta} ({low} to {high})"
