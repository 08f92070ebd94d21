"""The test rows of each task, with what each system answers to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd


class Answer(NamedTuple):
    """What a system answers to a row.

    Attributes:
        text: its own, without the spaces around it.
        said: the label that it picks where only labels are allowed; else its text.
    """

    text: str
    said: str


@dataclass(frozen=True)
class Answered:
    """A test row.

    Attributes:
        id: of the row.
        input: of the user.
        reference: the expected answer, without the spaces around it.
        tags: of the row.
        answers: by system; a system that does not know the task is not there.
    """

    id: str
    input: str
    reference: str
    tags: tuple[str, ...]
    answers: dict[str, Answer] = field(default_factory=dict)

    def is_right(self, system: str) -> bool:
        """Whether a system answers the row, and with the reference."""
        return system in self.answers and self.answers[system].said == self.reference


def answered_rows(
    rows: pd.DataFrame, predictions: Mapping[str, pd.DataFrame]
) -> dict[str, list[Answered]]:
    """The rows of each task in the order of the test split, with the answers of all systems.

    Args:
        rows: of the test split, see `newsrec.assistant.answers.read_split`.
        predictions: by system, see `newsrec.assistant.answers.read_predictions`.
    """
    columns = ("id", "input", "output", "tags")
    found = [
        Answered(id_, text, reference.strip(), tuple(tags))
        for id_, text, reference, tags in zip(*(rows[name] for name in columns), strict=True)
    ]
    for system, table in predictions.items():
        for place, text, choice in zip(table.index, table["output"], table["choice"], strict=True):
            written = text.strip()
            answer = Answer(written, written if choice is None else choice)
            found[place].answers[system] = answer
    of_task: dict[str, list[Answered]] = {}
    for task, row in zip(rows["task"], found, strict=True):
        of_task.setdefault(task, []).append(row)
    return of_task
