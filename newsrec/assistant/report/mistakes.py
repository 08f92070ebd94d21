"""What the tuned model gets wrong: its most telling mistakes, and names that it invents."""

from collections.abc import Sequence
from typing import Any

from newsrec.assistant.report.answered import Answer, Answered
from newsrec.assistant.tasks import Task
from newsrec.metrics import text_overlap
from newsrec.models.names import MODELS
from newsrec.report.text import shortened

TEXT_WIDTH = 400  # columns of a text that are shown
EMPTY = "an empty answer"
ANOTHER_LABEL = "another label"
HIDDEN = "right when only labels are allowed, wrong as free text"
INVENTED = "invented: not part of the input"
NEEDLESS = "part of the input, although there is nothing to extract"
MISSED = "none, although there is something to extract"
ANOTHER_PART = "another part of the input"
OTHER_WORDS = "differs from the reference"


def fault(task: Task, row: Answered, answer: Answer) -> str | None:
    """What is wrong with an answer; None: nothing."""
    if answer.said == row.reference:
        return HIDDEN if answer.text != row.reference else None
    if not answer.said:
        return EMPTY
    if task.answer == "labels":
        return ANOTHER_LABEL
    if task.answer == "text":
        return OTHER_WORDS
    if is_invented(task, row, answer):
        return INVENTED
    if answer.said == task.none:
        return MISSED
    return NEEDLESS if row.reference == task.none else ANOTHER_PART


def is_invented(task: Task, row: Answered, answer: Answer) -> bool:
    """Whether an answer is neither a part of the input nor the word for none."""
    (is_so,) = text_overlap.invented([answer.said], [row.input], task.none)
    return task.answer == "span" and bool(is_so)


def telling_mistakes(task: Task, rows: Sequence[Answered], num: int) -> list[dict[str, Any]]:
    """Up to `num` mistakes of the tuned model, the most telling first.

    First those where the base or a baseline is right, then the least like the reference, by
    character F1. Right choices with other words come last. Ties keep the order of the rows.

    Args:
        task: of the rows.
        rows: with answers of `tuned`.
        num: at most.
    """
    found = [(row, problem) for row in rows if (problem := fault(task, row, row.answers["tuned"]))]
    found.sort(key=lambda pair: _telling(*pair))
    return [
        {**shown(task, row), "fault": problem, "right": _others_right(row)}
        for row, problem in found[:num]
    ]


def _telling(row: Answered, problem: str) -> tuple[bool, bool, float]:
    (alike,) = text_overlap.char_f1([row.answers["tuned"].said], [row.reference])
    return problem == HIDDEN, not _others_right(row), float(alike)


def _others_right(row: Answered) -> list[str]:
    return [name for name in row.answers if name != "tuned" and row.is_right(name)]


def examples(task: Task, rows: Sequence[Answered], num: int) -> list[dict[str, Any]]:
    """`num` rows at even distances, whatever was answered."""
    step = max(1, len(rows) / num) if num else 1
    places = [int(place * step) for place in range(min(num, len(rows)))]
    return [shown(task, rows[place]) for place in places]


def invented(task: Task, rows: Sequence[Answered], num: int) -> tuple[int, list[dict[str, Any]]]:
    """How many names the tuned model invents, and up to `num` of them with their rows."""
    found = [row for row in rows if is_invented(task, row, row.answers["tuned"])]
    return len(found), [shown(task, row) for row in found[:num]]


def shown(task: Task, row: Answered) -> dict[str, Any]:
    """A row as a card shows it; texts are cut to `TEXT_WIDTH`."""
    return {
        "id": row.id,
        "input": shortened(row.input, TEXT_WIDTH),
        "reference": shortened(row.reference, TEXT_WIDTH),
        "tags": ", ".join(row.tags),
        "answers": [
            {
                "system": name,
                "said": shortened(answer.said, TEXT_WIDTH),
                "text": shortened(answer.text, TEXT_WIDTH) if answer.text != answer.said else None,
                "is_right": row.is_right(name),
            }
            for name in MODELS
            if (answer := row.answers.get(name))
        ],
    }
