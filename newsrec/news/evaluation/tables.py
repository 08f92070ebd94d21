"""The predictors' tables as they are measured: the evaluation set's rows, its ids as numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.news.predictions import KEYS, SCHEMA, read_predictions, require_same_rows

_ANSWERS = ("answer_mass", "text")


def read_aligned(source: Path, candidates: pa.Table, name: str) -> pd.DataFrame:
    """A predictor's table, checked against the evaluation set; see `aligned`.

    A table of exactly these ids, as the project writes it, never becomes Python's text: three
    million rows of it take seconds and a gigabyte.

    Args:
        source: Parquet.
        candidates: the evaluation set: keys and label.
        name: of the predictor, for an error.

    Raises:
        UserError: see `read_predictions` and `require_same_rows`.
    """
    columns = [*KEYS, "label"]
    try:
        file = pq.ParquetFile(source)
        answers = [one for one in _ANSWERS if one in file.schema_arrow.names]
        table = file.read([*SCHEMA.names, *answers])
        # Of the same types too.
        same = table.select(columns).equals(candidates.select(columns))
        score = table["score"].to_numpy() if same and table["score"].type == pa.float64() else None
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError):
        score = None
    if score is None or not np.isfinite(score).all():
        # Of other types, or wrong: says which row.
        found = read_predictions(source)
        require_same_rows(found, candidates.select(columns).to_pandas(), name)
        return found
    measured: pd.DataFrame = table.select(["label", "score", *answers]).to_pandas()
    return measured


def aligned(table: pd.DataFrame, candidates: pd.DataFrame) -> pd.DataFrame:
    """What is measured of a table: label, score, answers, and the impression of each row.

    Args:
        table: the rows of the evaluation set, in its order.
        candidates: the evaluation set; its impression_id may be any type.
    """
    kept = [name for name in ("label", "score", *_ANSWERS) if name in table]
    return table[kept].assign(impression_id=candidates["impression_id"].to_numpy())
