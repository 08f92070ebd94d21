"""Rows of the test split and what each system answered to them, checked when they are read."""

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.assistant.tables import PREDICTIONS_SCHEMA, ROWS_SCHEMA
from newsrec.assistant.tasks import TABLE, Task
from newsrec.errors import UserError
from newsrec.files import atomic_file, named_files, read_table

_BATCH_ROWS = 10_000
_SHOWN = 40  # characters of an input in an error


def read_split(source: Path, tasks: Mapping[str, Task]) -> pd.DataFrame:
    """The rows of a split: the columns of `ROWS_SCHEMA`, in the order of the file.

    Raises:
        UserError: see `newsrec.files.read_table`; or a row is of a task that the table of tasks
            does not have, an id occurs twice, or a label is none of its task's.
    """
    rows = read_table(source, ROWS_SCHEMA.names)
    if strange := sorted(set(rows["task"]) - set(tasks)):
        raise UserError(
            f"{source}: rows of the task {strange[0]!r}; expected those of {TABLE}: "
            f"{', '.join(tasks)}; run dvc repro prepare"
        )
    _refuse_twice(rows["id"], source, "run dvc repro prepare")
    for task in tasks.values():
        of_task = rows[rows["task"] == task.name]
        wrong = of_task[~of_task["output"].isin(task.labels)]
        if task.labels and len(wrong):
            raise UserError(
                f"{source}: row {wrong['id'].iloc[0]!r} has the label {wrong['output'].iloc[0]!r}; "
                f"expected one of: {', '.join(task.labels)}; run dvc repro prepare"
            )
    return rows


def read_predictions(
    source: Path, rows: pd.DataFrame, tasks: Mapping[str, Task], *, whole: bool
) -> pd.DataFrame:
    """What a system answered to the rows of the test split, in any order.

    Args:
        source: Parquet of `PREDICTIONS_SCHEMA`.
        rows: of the test split.
        tasks: by name.
        whole: whether it must answer every row; else all or none of each task.

    Returns:
        task, output and choice; the index is the place of the row in `rows`, ascending.

    Raises:
        UserError: see `newsrec.files.read_table`; or an id occurs twice, is of another row or is
            missing, an answer is to another input than the row has, or a choice is none of the
            labels.
    """
    table = read_table(source, PREDICTIONS_SCHEMA.names)
    _refuse_twice(table["id"], source, "score again (dvc repro)")
    place = pd.Index(rows["id"]).get_indexer(pd.Index(table["id"]))
    other = (place < 0) | (rows["task"].to_numpy()[place] != table["task"].to_numpy())
    if other.any():
        first = table[other].iloc[0]
        raise UserError(
            f"{source}: {other.sum():,} rows are not of the test split, like {first['id']!r} of "
            f"the task {first['task']!r}; expected answers to its {len(rows):,} rows; score again "
            "(dvc repro)"
        )
    # Ids are places in files: those of other rows look the same.
    wrong = table["input"].to_numpy() != rows["input"].to_numpy()[place]
    if wrong.any():
        first = table[wrong].iloc[0]
        raise UserError(
            f"{source}: {wrong.sum():,} answers are to other inputs than those of the test split, "
            f"like {first['id']!r} to {str(first['input'])[:_SHOWN]!r}; expected answers "
            "to these rows; score them again (dvc repro)"
        )
    known = set(rows["task"] if whole else table["task"])
    missing = rows[rows["task"].isin(known) & ~rows["id"].isin(table["id"])]
    if len(missing):
        first = missing.iloc[0]
        raise UserError(
            f"{source}: {len(missing):,} rows of the test split have no answer, like "
            f"{first['id']!r} of the task {first['task']!r}; expected one for each; score again "
            "(dvc repro)"
        )
    labels = table["task"].map({name: task.labels for name, task in tasks.items()})
    for choice, allowed, id_ in zip(table["choice"], labels, table["id"], strict=True):
        if choice is not None and choice not in allowed:
            raise UserError(
                f"{source}: row {id_!r} has the choice {choice!r}; expected one of: "
                f"{', '.join(allowed) or 'null, for want of labels'}; score again (dvc repro)"
            )
    table["output"] = table["output"].fillna("")
    return table.set_index(place)[["task", "output", "choice"]].sort_index()


def read_external(
    folder: Path, rows: pd.DataFrame, tasks: Mapping[str, Task], taken: Collection[str]
) -> dict[str, pd.DataFrame]:
    """What other systems answered, by the names of their files; see `read_predictions`.

    Args:
        folder: holds NAME.parquet of `PREDICTIONS_SCHEMA`, and documents.
        rows: of the test split.
        tasks: by name.
        taken: names that other systems have.

    Raises:
        UserError: see `newsrec.files.named_files` and `read_predictions`.
    """
    return {
        path.stem: read_predictions(path, rows, tasks, whole=False)
        for path in named_files(folder, [".parquet"], taken, "answers", "system")
    }


def read_answers(
    folder: Path,
    systems: Iterable[str],
    models: Collection[str],
    rows: pd.DataFrame,
    tasks: Mapping[str, Task],
    outside: Path | None = None,
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """What all systems answered; see `common_choices` for what is returned.

    Args:
        folder: holds NAME.parquet of each of `systems`.
        systems: names.
        models: those of `systems` that must answer every row.
        rows: of the test split.
        tasks: by name.
        outside: holds the answers of other systems; None: without them.

    Raises:
        UserError: see `read_predictions` and `read_external`.
    """
    answers = {
        name: read_predictions(folder / f"{name}.parquet", rows, tasks, whole=name in models)
        for name in systems
    }
    if outside is not None:
        answers |= read_external(outside, rows, tasks, answers)
    return common_choices(answers, models)


def common_choices(
    answers: Mapping[str, pd.DataFrame], models: Collection[str]
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The answers without the choices of each task that only some of the models picked.

    A server may pass over the constraint for one model alone. The text of that one, with answers
    outside the list, must not be compared with the choice of another, which hides them.

    Args:
        answers: by system, see `read_predictions`.
        models: systems that all need choices of a task, or none is kept.

    Returns:
        The answers, and the names of the tasks without their choices.
    """
    picked = [
        set(table.loc[table["choice"].notna(), "task"])
        for table in (answers[name] for name in models)
    ]
    lone = sorted(set.union(*picked) - set.intersection(*picked))
    kept = {
        name: table.assign(choice=table["choice"].mask(table["task"].isin(lone), None))
        for name, table in answers.items()
    }
    return kept, lone


def write_predictions(
    answers: Iterable[tuple[str, str, str, str, str | None]], target: Path
) -> int:
    """Write what a system answered, a batch at a time; return the number of rows.

    Args:
        answers: id, task, input, its own text, and the label that it picks where only labels are
            allowed.
        target: Parquet of `PREDICTIONS_SCHEMA`.
    """
    names, given, num_rows = PREDICTIONS_SCHEMA.names, iter(answers), 0
    with atomic_file(target) as draft, pq.ParquetWriter(draft, PREDICTIONS_SCHEMA) as writer:
        while batch := list(islice(given, _BATCH_ROWS)):
            rows = [dict(zip(names, answer, strict=True)) for answer in batch]
            writer.write_table(pa.Table.from_pylist(rows, schema=PREDICTIONS_SCHEMA))
            num_rows += len(rows)
    return num_rows


def _refuse_twice(ids: pd.Series, source: Path, remedy: str) -> None:
    twice = ids[ids.duplicated()]
    if len(twice):
        raise UserError(
            f"{source}: {len(twice):,} ids occur more than once, like {twice.iloc[0]!r}; expected "
            f"each once; {remedy}"
        )
