"""From rows of the tasks to the samples that are trained on and the rows that are measured on."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.assistant.corpus.synthetic import made_up_rows
from newsrec.assistant.prompts import sample_input
from newsrec.assistant.rows import Row, check_row, check_together, read_rows
from newsrec.assistant.splits import Splits, split_rows
from newsrec.assistant.tables import MIN_CLUSTERS, ROWS_SCHEMA, SAMPLES, SPLITS
from newsrec.assistant.tasks import Task
from newsrec.errors import UserError, unknown_choice
from newsrec.training import dataset


class Prepared(NamedTuple):
    """What preparing rows reports of them.

    Attributes:
        figures: counts of rows, and their lengths in characters, by task.
        warnings: what may not be as it was meant, a line each.
    """

    figures: dict[str, Any]
    warnings: list[str]


def gather_rows(
    tasks: Mapping[str, Task], folder: Path, max_chars: int, made_up: tuple[int, int] | None
) -> list[Row]:
    """The checked rows of every task, those of its file first.

    Args:
        tasks: by name.
        folder: of the files.
        max_chars: of an input and of an output.
        made_up: how many made-up rows each task that has some gets beside, and their seed.

    Raises:
        UserError: see `read_rows`.
    """
    rows: list[Row] = []
    for task in tasks.values():
        read = read_rows(folder, task, max_chars)
        rows += tqdm(read, desc=f"reading {task.name}", unit=" rows", disable=None)
        for number, values in enumerate(made_up_rows(task.name, *made_up) if made_up else ()):
            where = f"made-up row {number} of the task {task.name!r}"
            rows.append(check_row(values, task, f"made-{number}", where, max_chars))
    return rows


def prepare(
    rows: Sequence[Row],
    tasks: Mapping[str, Task],
    target: Path,
    *,
    threshold: float,
    val_share: float,
    test_share: float,
    leave_out: str | None,
    seed: int,
) -> Prepared:
    """Split rows, and write the rows of each split and the samples to train and validate on.

    Args:
        rows: of all tasks.
        tasks: by name.
        target: an existing folder; gets train.parquet, val.parquet and test.parquet, whose columns
            are `ROWS_SCHEMA`, and a data set for LLaMA-Factory.
        threshold: see `split_rows`, as the shares and the seed.
        val_share: of the rows that are named for no split.
        test_share: the same.
        leave_out: a task without samples; its rows stay in their splits.
        seed: of the splits.

    Raises:
        UserError: see `check_together`; `leave_out` is no task, or the only one; a task has no row
            in a split; or the training rows of a task with labels all have the same one.
    """
    trained = _trained(tasks, leave_out)
    num_repeated = check_together(rows)
    found = split_rows(
        rows, threshold=threshold, val_share=val_share, test_share=test_share, seed=seed
    )
    _require_rows(rows, found, tasks)
    _require_labels(rows, found, tasks)
    for split in SPLITS:
        pq.write_table(_table(rows, found, split), target / f"{split}.parquet", compression="zstd")
    _write_samples(dataset.SampleSet(target, SAMPLES), rows, found, trained)
    figures = {"num_repeated": num_repeated, **_figures(rows, found, tasks)}
    warnings = [*_changes(rows, found), *_few_clusters(rows, found, tasks)]
    return Prepared(figures, warnings)


def _write_samples(
    samples: dataset.SampleSet, rows: Sequence[Row], found: Splits, trained: Mapping[str, Task]
) -> None:
    """Write the samples of the tasks that are trained; each is a part to validate on."""
    dataset.write_dataset_info(samples, list(trained))
    files = {split: samples.folder / f"{samples.dataset(split)}.jsonl" for split in dataset.SPLITS}
    parts = files["val"].with_suffix("")
    parts.mkdir()
    with ExitStack() as stack:
        streams = {
            path: stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            for path in (*files.values(), *(parts / f"{name}.jsonl" for name in trained))
        }
        for row, split in zip(rows, found.splits, strict=True):
            if split in files and row.task in trained:
                record = json.dumps(_sample(row, trained[row.task]), ensure_ascii=False)
                streams[files[split]].write(record + "\n")
                if split == "val":
                    streams[parts / f"{row.task}.jsonl"].write(record + "\n")


def _trained(tasks: Mapping[str, Task], leave_out: str | None) -> dict[str, Task]:
    """The tasks that there are samples of, by name."""
    if leave_out is not None and leave_out not in tasks:
        raise unknown_choice("prepare.leave_out", leave_out, tasks)
    trained = {name: task for name, task in tasks.items() if name != leave_out}
    if not trained:
        raise UserError(
            f"prepare.leave_out is {leave_out!r}, the only task of tasks.yaml; expected another "
            "one to train on; set it to null"
        )
    return trained


def _require_rows(rows: Sequence[Row], found: Splits, tasks: Mapping[str, Task]) -> None:
    counts = Counter(zip((row.task for row in rows), found.splits, strict=True))
    for task in tasks:
        numbers = {split: counts[task, split] for split in SPLITS}
        for split, number in numbers.items():
            if not number:
                there = ", ".join(f"{num:,} {name}" for name, num in numbers.items())
                raise UserError(
                    f"task {task!r}: no row in {split} ({there}); expected some in each split, and "
                    "near copies lie in one: add rows that differ more, or give rows a split"
                )


def _require_labels(rows: Sequence[Row], found: Splits, tasks: Mapping[str, Task]) -> None:
    """Nothing can be learned of one label, and a baseline would say so after hours of training."""
    of_task: dict[str, set[str]] = {name: set() for name in tasks}
    for row, split in zip(rows, found.splits, strict=True):
        if split == "train":
            of_task[row.task].add(row.output)
    for name, labels in of_task.items():
        if tasks[name].labels and len(labels) < 2:
            raise UserError(
                f"task {name!r}: all rows in train have the label {min(labels)!r}; expected rows "
                "of two labels or more; add rows of another label, give some the split train, or "
                "take the task out of tasks.yaml"
            )


def _changes(rows: Sequence[Row], found: Splits) -> Iterator[str]:
    """What was changed or left out, each with its number of rows and the first one's place."""
    if plain := [row.where for row in rows if row.was_made_plain]:
        yield (
            f"{len(plain):,} rows had control tokens, or characters that print nothing, which were "
            f"made plain; the first: {plain[0]}"
        )
    both = zip(rows, found.splits, strict=True)
    if left_out := [row.where for row, split in both if split is None]:
        yield (
            f"{len(left_out):,} rows assigned to a split have a near copy in another one, and are "
            f"left out; the first: {left_out[0]}"
        )


def _few_clusters(rows: Sequence[Row], found: Splits, tasks: Mapping[str, Task]) -> Iterator[str]:
    tested = zip(rows, found.clusters, found.splits, strict=True)
    clusters = {(row.task, cluster) for row, cluster, split in tested if split == "test"}
    nums = Counter(task for task, _ in clusters)
    for task in tasks:
        if nums[task] < MIN_CLUSTERS:
            yield (
                f"the test rows of the task {task!r} lie in {nums[task]} clusters of near copies; "
                f"fewer than {MIN_CLUSTERS} allow no verdict: add rows, or raise prepare.test_share"
            )


def _table(rows: Sequence[Row], found: Splits, split: str) -> pa.Table:
    records = [
        {
            "id": row.id,
            "task": row.task,
            "input": row.input,
            "output": row.output,
            "tags": list(row.tags),
            "cluster": cluster,
        }
        for row, cluster, of in zip(rows, found.clusters, found.splits, strict=True)
        if of == split
    ]
    return pa.Table.from_pylist(records, schema=ROWS_SCHEMA)


def _sample(row: Row, task: Task) -> dict[str, str]:
    """A record in alpaca form; what trainers do not read says where it is from."""
    return {
        "instruction": task.instruction,
        "input": sample_input(row.input),
        "output": row.output,
        "task": row.task,
        "id": row.id,
    }


def _figures(rows: Sequence[Row], found: Splits, tasks: Mapping[str, Task]) -> dict[str, Any]:
    sizes = Counter(found.clusters)
    figures: dict[str, Any] = {
        "num_rows": len(rows),
        "num_clusters": len(sizes),
        "num_near_copies": sum(size for size in sizes.values() if size > 1),
        "num_left_out": found.splits.count(None),
        "num_made_plain": sum(row.was_made_plain for row in rows),
        "tasks": {},
    }
    for task in tasks:
        own = [
            (row, split)
            for row, split in zip(rows, found.splits, strict=True)
            if row.task == task and split is not None
        ]
        splits = Counter(split for _, split in own)
        figures["tasks"][task] = {
            **{split: splits[split] for split in SPLITS},
            "input_chars": _lengths([len(row.input) for row, _ in own]),
            "output_chars": _lengths([len(row.output) for row, _ in own]),
            "test_tags": dict(Counter(tag for row, of in own if of == "test" for tag in row.tags)),
        }
    return figures


def _lengths(lengths: Sequence[int]) -> dict[str, float]:
    return {
        "median": float(np.median(lengths)),
        "p95": float(np.quantile(lengths, 0.95)),
        "max": max(lengths),
    }
