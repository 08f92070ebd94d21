"""What is measured, read from the folders of the pipeline, and scikit-learn's text of it."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from sklearn.metrics import classification_report

from newsrec.files import read_table
from newsrec.safety.evaluation.unsafe import require_both
from newsrec.safety.labels import CLASSES
from newsrec.safety.predictors import PREDICTORS, codes, keys_of, read_predictions
from newsrec.safety.tables import PROBABILITIES, SETS, SPLITS

_OF_SPLIT = ["id", "label", "cluster", "normalised"]


def read_splits(processed: Path) -> dict[str, pd.DataFrame]:
    """By split id, label, cluster and normalised.

    Args:
        processed: folder of the prepared rows.

    Raises:
        UserError: a file is missing or damaged; val or test lacks benign or unsafe rows.
    """
    splits = {name: read_table(processed / f"{name}.parquet", _OF_SPLIT) for name in SPLITS}
    for name in ("val", "test"):
        require_both(splits[name], name)
    return splits


def read_tables(processed: Path, predictions: Path) -> dict[str, dict[str, pd.DataFrame]]:
    """Of val, test and evasion the predictions of every predictor, checked against their rows.

    Args:
        processed: folder of the prepared rows.
        predictions: folder with a folder for each set.

    Raises:
        UserError: see `read_predictions`.
    """
    found = {}
    for name in SETS:
        rows = read_table(processed / f"{name}.parquet", keys_of(name))
        found[name] = {
            predictor: read_predictions(predictions / name / f"{predictor}.parquet", rows)
            for predictor in PREDICTORS
        }
    return found


def report_text(tables: Mapping[str, pd.DataFrame]) -> str:
    """scikit-learn's classification report of each predictor's most probable class.

    Args:
        tables: by predictor the predictions of the test rows.
    """
    parts = []
    for name, table in tables.items():
        predicted = table[PROBABILITIES].to_numpy().argmax(axis=1)
        shown = classification_report(
            codes(table["label"]),
            predicted,
            labels=range(len(CLASSES)),
            target_names=CLASSES,
            digits=4,
            zero_division=0,
        )
        parts.append(f"{name}\n\n{shown}")
    return "\n".join(parts)
