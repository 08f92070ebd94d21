"""The predictions table, written, read and checked against its set."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.safety.predictors import (
    EVASION_SCHEMA,
    SCHEMA,
    read_predictions,
    write_probabilities,
)
from tests.safety.fake import evasion, predictions, probabilities, rows

SET = rows(20, seed=1)
PROBABILITY = probabilities(SET["label"], 1.0, seed=2)


@pytest.mark.parametrize("which", ["test", "evasion"])
def test_what_is_written_is_read(which: str, tmp_path: Path) -> None:
    of = SET if which == "test" else evasion(SET)
    probability = probabilities(of["label"], 1.0, seed=2)
    write_probabilities(of, probability, tmp_path / "a.parquet")
    schema = SCHEMA if which == "test" else EVASION_SCHEMA
    assert pq.read_schema(tmp_path / "a.parquet").remove_metadata().equals(schema)
    found = read_predictions(tmp_path / "a.parquet", of)
    assert found["id"].tolist() == of["id"].tolist()
    assert found.iloc[:, -6:].to_numpy().tolist() == probability.tolist()


def test_what_is_no_distribution_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        write_probabilities(SET, PROBABILITY * 0.9, tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.iloc[:-1], "19 rows; expected the 20 rows of the set"),
        (lambda table: table.iloc[::-1], "in row 0 "),
        (lambda table: table.assign(label="正常"), "in row"),
        (lambda table: table.assign(p1=np.nan), "sum to 1"),
        (lambda table: table.drop(columns="p3"), "no column p3"),
    ],
    ids=["fewer", "another order", "other labels", "no number", "no column"],
)
def test_other_rows_and_no_probabilities_are_refused(
    change: object, message: str, tmp_path: Path
) -> None:
    assert callable(change)
    table: pd.DataFrame = change(predictions(SET, 1.0, seed=3))
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=message) as caught:
        read_predictions(tmp_path / "a.parquet", SET)
    assert "dvc repro" in str(caught.value)


def test_a_missing_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_predictions(tmp_path / "a.parquet", SET)
    (tmp_path / "a.parquet").write_text("no Parquet")
    with pytest.raises(UserError, match="not a Parquet file"):
        read_predictions(tmp_path / "a.parquet", SET)
