"""The figures of one system on the rows of one task, and what one system gains over another.

By the kind of answer:

labels
    `accuracy` and `macro_f1` of the label picked where only labels are allowed, or of the text
    where a system has no such choice; `free_accuracy`, the share of texts that are the label;
    `outside`, the share of texts that are none of the labels.
text
    `exact`, `char_f1` and `chrf`: see `newsrec.metrics.text_overlap`.
span
    `exact` and `char_f1`; `invented`, the share of answers that are not part of the input;
    `none_right`, the share of rows without a span that are answered so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import f1_score

from newsrec.assistant.tables import TOPS
from newsrec.assistant.tasks import Task
from newsrec.metrics import text_overlap
from newsrec.metrics.intervals import (
    careful_gain,
    mean_interval,
    share_interval,
    unseen_share,
)
from newsrec.metrics.multiclass import confusion_samples, figures_of_confusions
from newsrec.metrics.significance import ClusterBootstrap, paired

Floats = npt.NDArray[np.float64]
Figure = dict[str, float]  # value, and the ends of its 95 % interval, low and high

# What a system is judged by, by kind of answer.
PRIMARY: Mapping[str, str] = {"labels": "accuracy", "text": "chrf", "span": "exact"}
# Shares of rows: each is 0 or 1 for a row.
SHARES = frozenset({"accuracy", "free_accuracy", "outside", "exact", "invented", "none_right"})
_EPS = 1e-9  # what rounding leaves of a difference that is none


@dataclass(frozen=True)
class Measured:
    """What one system is worth on the rows of one task.

    Attributes:
        rows: of each metric that is a mean over rows, the value of each row, NaN where the metric
            is not of the row; shape (rows,).
        figures: of each metric.
        samples: of each metric the figure of each resample, shape (resamples,).
        unseen: of each metric, how many clusters may be like none of these, see `unseen_share`.
        cluster: of each row, shape (rows,).
    """

    rows: dict[str, Floats]
    figures: dict[str, Figure]
    samples: dict[str, Floats]
    unseen: dict[str, float]
    cluster: pd.Series


def measure(
    task: Task, rows: pd.DataFrame, answers: pd.DataFrame, bootstrap: ClusterBootstrap
) -> Measured:
    """Measure one system on one task.

    Args:
        task: that the rows are of.
        rows: of the test split: input, output and cluster, shape (rows,).
        answers: to these rows, in their order: output and choice.
        bootstrap: over the clusters of these rows.
    """
    found = measure_rows(_of_row(task, rows, answers), rows["cluster"], bootstrap)
    if task.labels:
        value, drawn = _macro_f1(task, rows, answers, bootstrap)
        # Each label has a like part in it, however few clusters it has.
        of_label = rows.groupby("output")["cluster"].nunique()
        unseen = float(np.mean([unseen_share(int(num)) for num in of_label]))
        low, high = mean_interval(value, drawn, (0.0, 1.0), unseen)
        found.samples["macro_f1"], found.unseen["macro_f1"] = drawn, unseen
        found.figures["macro_f1"] = {"value": value, "low": low, "high": high}
    return found


def measure_rows(
    of_row: dict[str, Floats], cluster: pd.Series, bootstrap: ClusterBootstrap
) -> Measured:
    """The means of metrics over their rows.

    Args:
        of_row: of each metric the value of each row, NaN where it is not of the row, shape (rows,).
        cluster: of each row, shape (rows,).
        bootstrap: over these rows.
    """
    samples = bootstrap.means(of_row)
    figures, unseen = {}, {}
    for name, values in of_row.items():
        num_clusters = len(np.unique(cluster[~np.isnan(values)]))
        value, unseen[name] = float(np.nanmean(values)), unseen_share(num_clusters)
        if name in SHARES:
            low, high = share_interval(values, samples[name], num_clusters)
        else:
            bounds = (0.0, TOPS.get(name, 1.0))
            low, high = mean_interval(value, samples[name], bounds, unseen[name])
        figures[name] = {"value": value, "low": low, "high": high}
    return Measured(of_row, figures, samples, unseen, cluster)


def gains(one: Measured, other: Measured) -> dict[str, dict[str, float]]:
    """What `one` has more than `other` by each metric: value, its 95 % interval (low, high) and p.

    Paired, over the same rows and resamples; of `outside` and `invented` less is better.
    """
    found = {}
    for name in one.figures:
        before, after = (of.figures[name]["value"] for of in (other, one))
        by_rows = paired(before, other.samples[name], after, one.samples[name])
        # What differs in macro F1 is which rows are right.
        row_metric = name if name in one.rows else "accuracy"
        changes = pd.Series(one.rows[row_metric] - other.rows[row_metric])
        of_cluster = changes.groupby(one.cluster.to_numpy()).sum()
        num_changed = int((of_cluster.abs() > _EPS).sum())
        gain = careful_gain(by_rows, TOPS.get(name, 1.0), one.unseen[name], num_changed)
        found[name] = {"value": gain.delta, "low": gain.low, "high": gain.high, "p": gain.p}
    return found


def confusion(task: Task, rows: pd.DataFrame, answers: pd.DataFrame) -> list[list[int]]:
    """How many rows of each label, by row, have each label as text, by column.

    The last column is of texts outside the list.

    Args:
        task: with labels.
        rows: of the test split: output, shape (rows,).
        answers: to these rows: output.
    """
    places = [*range(len(task.labels)), len(task.labels)]
    label, said = _places(task, rows["output"]), _places(task, answers["output"].str.strip())
    counts = pd.crosstab(label, said).reindex(index=places[:-1], columns=places, fill_value=0)
    return [[int(count) for count in row] for row in counts.to_numpy()]


def _of_row(task: Task, rows: pd.DataFrame, answers: pd.DataFrame) -> dict[str, Floats]:
    written, reference = answers["output"].tolist(), rows["output"].tolist()
    exact = text_overlap.exact_match(written, reference)
    if task.answer == "labels":
        decided = _decided(answers)
        return {
            "accuracy": text_overlap.exact_match(decided.tolist(), reference),
            "free_accuracy": exact,
            "outside": np.array([text.strip() not in task.labels for text in written], float),
        }
    overlap = text_overlap.char_f1(written, reference, task.none)
    if task.answer == "text":
        chrf = text_overlap.chrf(written, reference)
        return {"exact": exact, "chrf": chrf, "char_f1": overlap}
    inputs = rows["input"].tolist()
    invented = text_overlap.invented(written, inputs, task.none)
    found = {"exact": exact, "char_f1": overlap, "invented": invented}
    without = np.array([text == task.none for text in reference])
    if without.any():
        found["none_right"] = np.where(without, exact, np.nan)
    return found


def _macro_f1(
    task: Task, rows: pd.DataFrame, answers: pd.DataFrame, bootstrap: ClusterBootstrap
) -> tuple[float, Floats]:
    """F1 of each label that has rows, as a plain mean, and in each resample, shape (resamples,)."""
    label, decided = _places(task, rows["output"]), _places(task, _decided(answers))
    num_classes = len(task.labels) + 1  # the last one is of texts outside the list
    present = np.unique(label)
    value = float(f1_score(label, decided, labels=present, average="macro", zero_division=0))
    drawn = confusion_samples(label, decided, num_classes, bootstrap)
    of_label = np.where(drawn.sum(axis=2) > 0, figures_of_confusions(drawn)["f1"], np.nan)
    return value, np.nanmean(of_label, axis=1)


def _decided(answers: pd.DataFrame) -> pd.Series:
    """The label picked where only labels are allowed, or the text where there is no such choice."""
    return answers["choice"].where(answers["choice"].notna(), answers["output"].str.strip())


def _places(task: Task, texts: pd.Series) -> npt.NDArray[np.int64]:
    """The place of each text among the labels; one after the last for others."""
    codes = pd.Categorical(texts, categories=list(task.labels)).codes.astype(np.int64)
    return np.where(codes < 0, len(task.labels), codes)
