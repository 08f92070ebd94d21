"""The primary metric of every system in parts of the test rows, task by task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from newsrec.assistant.evaluation.systems import PRIMARY, Measured, mean_with_interval
from newsrec.assistant.tasks import Task
from newsrec.metrics.significance import ClusterBootstrap


def slices_of(rows: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """slice → which rows are in it, shape (rows,): a slice for each tag, and thirds by length.

    Lengths are in characters of the input; rows of one length are in one third, so that thirds may
    be of different size, and one may be missing.

    Args:
        rows: of one task: input and tags.
    """
    tags = [set(found) for found in rows["tags"]]
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
    """task, slice, system, metric, value, low, high and num_rows, for each slice and system.

    A slice of fewer than two clusters is left out: it has no interval.

    Args:
        task: that the rows are of.
        rows: of the test split: input, tags and cluster, shape (rows,).
        measured: by system.
        bootstrap: over the clusters of these rows.
    """
    metric, found = PRIMARY[task.answer], []
    for name, inside in slices_of(rows).items():
        places = np.flatnonzero(inside)
        cluster = rows["cluster"].iloc[places]
        if cluster.nunique() < 2:
            continue
        for system, one in measured.items():
            values = one.rows[metric][places]
            drawn = bootstrap.of(places).mean(values)
            figure = mean_with_interval(metric, values, drawn, cluster)
            keys = {"task": task.name, "slice": name, "system": system, "metric": metric}
            found.append({**keys, **figure, "num_rows": len(places)})
    return found
