"""The predictors that are measured, and their tables of predictions, checked when they are read.

A table has a row for each text of a set, in the set's order, with a probability for each class.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.errors import UserError
from newsrec.files import atomic_file, read_table
from newsrec.metrics import multiclass
from newsrec.models.names import MODELS
from newsrec.safety.labels import CLASSES
from newsrec.safety.tables import PROBABILITIES

# As their files are called: those without a language model, and all.
BASELINES = ("tfidf", "keywords", "majority")
PREDICTORS = (*reversed(MODELS), *BASELINES)

_P_FIELDS = [(name, pa.float64()) for name in PROBABILITIES]
_KEY_FIELDS = [("id", pa.string()), ("label", pa.string()), ("cluster", pa.int64())]
SCHEMA = pa.schema([*_KEY_FIELDS, *_P_FIELDS])
# Of rewritten test texts; a text occurs once for each trick.
EVASION_SCHEMA = pa.schema(
    [("id", pa.string()), ("trick", pa.string()), *_KEY_FIELDS[1:], *_P_FIELDS]
)


def keys_of(set_name: str) -> list[str]:
    """The columns by which the predictions of a set name their rows."""
    schema = EVASION_SCHEMA if set_name == "evasion" else SCHEMA
    return [name for name in schema.names if name not in PROBABILITIES]


def write_probabilities(
    rows: pd.DataFrame, probability: npt.NDArray[np.float64], target: Path
) -> None:
    """Write the predictions of a set.

    Args:
        rows: id, label, cluster and, of rewritten texts, trick; shape (rows,).
        probability: of each class in the order of `CLASSES`, shape (rows, classes).
        target: Parquet.

    Raises:
        ValueError: not as many rows of both, or a row that holds no distribution.
    """
    multiclass.checked(codes(rows["label"]), probability)
    table = pd.DataFrame(probability, columns=PROBABILITIES)
    keys = keys_of("evasion" if "trick" in rows else "test")
    schema = EVASION_SCHEMA if "trick" in rows else SCHEMA
    table[keys] = rows[keys].to_numpy()
    with atomic_file(target) as draft:
        pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), draft)


def read_predictions(source: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Read a predictions table and check it against the set that it is of.

    Args:
        source: Parquet.
        rows: the set: id, label, cluster and, of rewritten texts, trick.

    Returns:
        The columns of the schema, in the order of the rows.

    Raises:
        UserError: the file is missing, no Parquet or lacks a column, holds other rows or another
            order, or a row whose probabilities are none.
    """
    keys = keys_of("evasion" if "trick" in rows else "test")
    table: pd.DataFrame = read_table(source, [*keys, *PROBABILITIES])
    _require_same(table[keys], rows[keys], source)
    probability = table[PROBABILITIES].to_numpy(dtype=np.float64)
    try:
        multiclass.checked(codes(table["label"]), probability)
    except ValueError as error:
        raise UserError(f"{source}: {error}; score again (dvc repro)") from None
    return table


def codes(label: pd.Series) -> npt.NDArray[np.int64]:
    """The place of each label among `CLASSES`, -1 for one that is none of them."""
    return pd.Categorical(label, categories=list(CLASSES)).codes.astype(np.int64)


def _require_same(table: pd.DataFrame, rows: pd.DataFrame, source: Path) -> None:
    if len(table) != len(rows):
        found = f"{len(table):,} rows"
    else:
        differs = (table.to_numpy() != rows.to_numpy()).any(axis=1)
        if not differs.any():
            return
        row = int(differs.argmax())
        found = f"in row {row} {tuple(map(str, table.iloc[row]))}"
    raise UserError(
        f"{source}: {found}; expected the {len(rows):,} rows of the set in its order; "
        "score again (dvc repro)"
    )
