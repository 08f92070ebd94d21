"""The tasks of the assistant, as a table: another task is an entry and a file, and no code."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from newsrec.chat.text import plain_text
from newsrec.errors import UserError
from newsrec.params.load import load_params
from newsrec.params.sections import STRICT

TABLE = Path("tasks.yaml")

_Line = Annotated[str, Field(pattern=r"\A\S[^\r\n]*\z")]


@dataclass(frozen=True, config=STRICT)
class Task:
    """One task.

    Attributes:
        name: in ASCII, of the task's file `<name>.jsonl`, and of its figures.
        instruction: the first line of every prompt.
        answer: `labels`, one of a list; `text`, free; `span`, a part of the input.
        labels: the list, of at least two; empty for other answers.
        none: the answer to an input without a span; null: there always is one.
        next: by label the task that `newsrec ask` puts the same input to; its name is further down
            in the table.
    """

    name: Annotated[str, Field(pattern=r"\A[a-z][a-z0-9_]*\z")]
    instruction: _Line
    answer: Literal["labels", "text", "span"]
    labels: tuple[_Line, ...] = ()
    none: _Line | None = None
    next: Mapping[str, str] = field(default_factory=dict, hash=False)

    @model_validator(mode="after")
    def _texts_are_plain(self) -> "Task":
        # As the rows are: an answer in another form would never be right.
        for text in (self.instruction, *self.labels, *filter(None, [self.none])):
            if (plain := plain_text(text)) != text:
                raise ValueError(
                    f"{text!r} is not plain text (the beginning of a control token, characters "
                    f"that print nothing, more than single spaces); expected {plain!r}"
                )
        return self

    @model_validator(mode="after")
    def _labels_belong_to_the_answer(self) -> "Task":
        if self.answer == "labels" and len(set(self.labels)) < 2:
            raise ValueError("labels has fewer than two; expected the list to choose from")
        if self.answer != "labels" and self.labels:
            raise ValueError(f"labels is given, but answer is {self.answer}; expected no labels")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("labels names one twice; expected each once")
        if self.answer != "span" and self.none is not None:
            raise ValueError(f"none is given, but answer is {self.answer}; expected answer: span")
        if unknown := sorted(set(self.next) - set(self.labels)):
            raise ValueError(f"next: {unknown[0]!r} is no label of the task; expected labels")
        return self


@dataclass(frozen=True, config=STRICT)
class _Table:
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> "_Table":
        for what in ("name", "instruction"):
            values = [getattr(task, what) for task in self.tasks]
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"tasks: two of them have the {what} {twice!r}; expected another")
        return self

    @model_validator(mode="after")
    def _the_next_are_further_down(self) -> "_Table":
        for place, task in enumerate(self.tasks):
            below = [other.name for other in self.tasks[place + 1 :]]
            if wrong := sorted(set(task.next.values()) - set(below)):
                raise ValueError(
                    f"next: {wrong[0]!r} is no task below {task.name}; expected one of: "
                    f"{', '.join(below) or 'none, it is the last'}"
                )
        return self


def read_tasks(path: Path = TABLE) -> Mapping[str, Task]:
    """The tasks by name, in the order of the table.

    Raises:
        UserError: the table is missing or no YAML, or an entry is not as `Task` says.
    """
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; expected the table of tasks; run this in pipelines/assistant"
        )
    return {task.name: task for task in load_params(_Table, path).tasks}
