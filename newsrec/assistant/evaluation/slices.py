"""Figures of every system in parts of the test rows, and what tuned gains there, task by task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from newsrec.assistant.evaluation.systems import (
    PRIMARY,
    Measured,
    gains,
    measure_rows,
)
from newsrec.assistant.tasks import Task
from newsrec.metrics.significance import ClusterBootstrap

UNSEEN = "unseen"  # a slice of its own: the rows with this tag, or one that begins with `unseen-`
# Beside the primary metric, by kind of answer.
OTHERS: Mapping[str, tuple[str, ...]] = {"span": ("invented",)}


def slices_of(rows: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """slice → which rows are in it, shape (rows,): a slice for each tag, and thirds by length.

    Rows with a tag like `unseen-place` are in the slice `unseen` too, whatever of them is unseen.
    Lengths are in characters of the input; rows of one length are in one third, so that thirds may
    be of different size, and one may be missing.

    Args:
        rows: of one task: input and tags.
    """
    tags = [set(found) for found in rows["tags"]]
    for of_row in tags:
        if any(tag.startswith(f"{UNSEEN}-") for tag in of_row):
            of_row.add(UNSEEN)
    found = {name: np.array([name in of for of in tags]) for name in sorted(set().union(*tags))}
    lengths = rows["input"].str.len().to_numpy()
    ends = np.quantile(lengths, [1 / 3, 2 / 3, 1], method="inverted_cdf")
    for low, high in zip([0, *ends[:-1]], ends, strict=True):
        inside = (lengths > low) & (lengths <= high)
        if inside.any():
            found[f"length {lengths[inside].min()} to {lengths[inside].max()}"] = inside
    return found


def measure_slices(
    task: Task, rows: pd.DataFrame, measured: Mapping[str, Measured], bootstrap: ClusterBootstrap
) -> list[dict[str, Any]]:
    """task, slice, system, metric, value, low, high, num_rows and gain, for each slice and system.

    `gain` is what tuned has more than the system, as `gains` has it; tuned itself has none. The
    metrics are the primary one and those of `OTHERS`. A slice of fewer than two clusters is left
    out: it has no interval.

    Args:
        task: that the rows are of.
        rows: of the test split: input, tags and cluster, shape (rows,).
        measured: by system, with tuned.
        bootstrap: over the clusters of these rows.
    """
    found: list[dict[str, Any]] = []
    for name, inside in slices_of(rows).items():
        places = np.flatnonzero(inside)
        cluster = rows["cluster"].iloc[places]
        if cluster.nunique() < 2:
            continue
        metrics = (PRIMARY[task.answer], *OTHERS.get(task.answer, ()))
        parts = {}
        for system, one in measured.items():
            of_row = {metric: one.rows[metric][places] for metric in metrics}
            parts[system] = measure_rows(of_row, cluster, bootstrap.of(places))
        gained = {
            system: gains(parts["tuned"], part)
            for system, part in parts.items()
            if system != "tuned"
        }
        for metric in metrics:
            for system, part in parts.items():
                keys = {"task": task.name, "slice": name, "system": system, "metric": metric}
                values = {**keys, **part.figures[metric], "num_rows": len(places)}
                if system in gained:
                    values["gain"] = gained[system][metric]
                found.append(values)
    return found
