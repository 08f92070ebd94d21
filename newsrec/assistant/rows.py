"""Rows of the tasks, from JSON lines: checked one by one, and against each other.

A row that cannot be used stops the stage with where it is. Control tokens and characters that print
nothing are made plain, and near copies of rows in another split are left out: the stage warns of
both, with the first one's place.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsrec.assistant.tables import SPLITS
from newsrec.assistant.tasks import Task
from newsrec.chat.text import plain_text
from newsrec.errors import UserError, unknown_choice
from newsrec.files import read_text_lines

_KEYS = ("input", "output", "split", "tags")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 60  # characters of a text in an error


@dataclass(frozen=True)
class Row:
    """An input of a task and the output that is expected.

    Attributes:
        id: unique among the rows of all tasks.
        task: its name.
        input: in plain text, see `newsrec.chat.text.plain_text`.
        output: the same; that of a task with free answers keeps its lines.
        split: the one that it was named for; None: any.
        tags: for slices.
        where: file and line, for errors.
        was_made_plain: input or output held a control token, or characters that print nothing.
    """

    id: str
    task: str
    input: str
    output: str
    split: str | None
    tags: tuple[str, ...]
    where: str
    was_made_plain: bool


def read_rows(folder: Path, task: Task, max_chars: int) -> Iterator[Row]:
    """The rows of a task's file, `folder`/NAME.jsonl; empty lines are passed over.

    Args:
        folder: of the files of all tasks.
        task: whose rows.
        max_chars: of an input and of an output.

    Raises:
        UserError: there is no such file, a line of it is no JSON object, or see `check_row`.
    """
    path = folder / f"{task.name}.jsonl"
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; expected the rows of the task {task.name!r}, a JSON object "
            "with input and output a line; write it, or take the task out of tasks.yaml"
        ) from None
    with stream:
        for number, line in enumerate(read_text_lines(stream, str(path)), start=1):
            if line.strip():
                where = f"{path}, line {number}"
                yield check_row(_parse(line, where), task, str(number), where, max_chars)


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        # Its own message counts lines, of which there is one.
        reason = str(error).partition(": line")[0]
        raise UserError(
            f"{where}: not JSON ({reason}); expected an object with input and output, all on one "
            "line; correct the line"
        ) from None
    if not isinstance(values, dict):
        raise UserError(
            f"{where}: found {type(values).__name__}; expected a JSON object with input and "
            "output; correct the line"
        )
    return values


def check_row(values: Mapping[str, Any], task: Task, id_: str, where: str, max_chars: int) -> Row:
    """A row of a task from what its line says.

    Args:
        values: `input` and `output`; `split` and `tags` if given.
        task: of the row.
        id_: unique among the rows of the task.
        where: file and line, for errors.
        max_chars: of an input and of an output.

    Raises:
        UserError: a key is missing or unknown, a value is of the wrong type, empty or too long, or
            no Unicode text, or the output is none that the task allows.
    """
    for key in ("input", "output"):
        if key not in values:
            found = ", ".join(values) or "none"
            raise UserError(f"{where}: no {key!r}; expected input and output, found keys: {found}")
    for key in values:
        if key not in _KEYS:
            raise unknown_choice(f"{where}: a key", key, _KEYS)
    split = values.get("split")
    if split is not None and split not in SPLITS:
        raise unknown_choice(f"{where}: split", split, SPLITS)
    tags = values.get("tags", [])
    if not isinstance(tags, list):
        raise UserError(f"{where}: tags is {_shown(tags)}; expected a list of strings")
    text = _text(values["input"], f"{where}: input", max_chars)
    output = _text(
        values["output"], f"{where}: output", max_chars, keep_lines=task.answer == "text"
    )
    _check_output(output, text, task, where)
    return Row(
        id=f"{task.name}-{id_}",
        task=task.name,
        input=text,
        output=output,
        split=split,
        tags=tuple(_text(tag, f"{where}: a tag", max_chars) for tag in tags),
        where=where,
        was_made_plain=(text.split(), output.split())
        != (values["input"].split(), values["output"].split()),
    )


def _text(value: object, what: str, max_chars: int, *, keep_lines: bool = False) -> str:
    """The plain text of a value, in one line if not `keep_lines`.

    Raises:
        UserError: it is no string, empty, too long or holds half a character.
    """
    if not isinstance(value, str):
        raise UserError(f"{what} is {_shown(value)}; expected a string")
    if found := _SURROGATE.search(value):
        raise UserError(
            f"{what} has half a character, {found.group()!a}, at position {found.start()}; "
            "expected Unicode text; rewrite the character"
        )
    lines = map(plain_text, value.splitlines() if keep_lines else [value])
    text = "\n".join(line for line in lines if line)
    if not text:
        raise UserError(f"{what} is {_shown(value)}; expected text; write some, or drop the row")
    if len(text) > max_chars:
        raise UserError(
            f"{what} has {len(text):,} characters, more than prepare.max_chars={max_chars:,}; "
            "shorten it, or raise that"
        )
    return text


def _check_output(output: str, text: str, task: Task, where: str) -> None:
    if task.answer == "labels" and output not in task.labels:
        raise unknown_choice(f"{where}: the label", output, task.labels)
    if task.answer == "span" and output != task.none and output not in text:
        none = "" if task.none is None else f", or {task.none!r} where there is none"
        raise UserError(
            f"{where}: output is {_shown(output)}, which is not in the input {_shown(text)}; "
            f"expected a part of it, character by character{none}"
        )


def _shown(value: object) -> str:
    """A value for an error, short and in one line."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def check_together(rows: Iterable[Row]) -> int:
    """Check rows, of all tasks, against each other.

    Returns:
        How many rows repeat another one of their task.

    Raises:
        UserError: one input has two outputs in a task, or is assigned to two splits.
    """
    first: dict[tuple[str, str], Row] = {}
    named: dict[str, Row] = {}
    num_repeated = 0
    for row in rows:
        other = first.setdefault((row.task, row.input), row)
        num_repeated += other is not row
        if other.output != row.output:
            raise UserError(
                f"{row.where}: the input {_shown(row.input)} has the output "
                f"{_shown(row.output)}, and {_shown(other.output)} in {other.where}; expected one "
                "output of an input; correct one of the rows"
            )
        if row.split is None:
            continue
        other = named.setdefault(row.input, row)
        if other.split != row.split:
            raise UserError(
                f"{row.where}: the input {_shown(row.input)} is assigned to {row.split}, and to "
                f"{other.split} in {other.where}; expected one split for an input, or a model "
                "is tested on what it was trained on; correct one of the rows"
            )
    return num_repeated
