"""Tables are checked against the evaluation set however they were written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.news.evaluation.tables import aligned, read_aligned

ROWS = pd.DataFrame(
    {
        "impression_id": ["1", "1", "2", "2"],
        "user_id": ["U1", "U1", "U2", "U2"],
        "news_id": ["N1", "N2", "N1", "N3"],
        "label": np.array([1, 0, 0, 1], dtype=np.int8),
    }
)
CANDIDATES = pa.Table.from_pandas(ROWS, preserve_index=False)
SCORES = [0.5, 0.25, 0.125, 1.0]


def written(folder: Path, table: pd.DataFrame) -> Path:
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), folder / "x.parquet")
    return folder / "x.parquet"


@pytest.mark.parametrize(
    "table",
    [
        ROWS.assign(score=SCORES),
        ROWS.assign(score=SCORES, impression_id=[1, 1, 2, 2]),
        ROWS.assign(score=SCORES, label=[True, False, False, True]),
        ROWS.assign(score=SCORES, label=["1", "0", "0", "1"]),
        ROWS.assign(score=[str(score) for score in SCORES], label=[True, False, False, True]),
    ],
    ids=[
        "as the project writes it",
        "numbers for ids",
        "truth",
        "text for labels",
        "text for scores",
    ],
)
def test_a_table_of_other_types_has_the_same_figures(tmp_path: Path, table: pd.DataFrame) -> None:
    found = aligned(read_aligned(written(tmp_path, table), CANDIDATES, "x"), ROWS)
    assert found.columns.tolist() == ["label", "score", "impression_id"]
    assert found["score"].tolist() == SCORES
    assert found["label"].tolist() == [1, 0, 0, 1]


def test_answers_come_along(tmp_path: Path) -> None:
    table = ROWS.assign(score=SCORES, p_yes=SCORES, answer_mass=1.0, text=["Yes.", "No.", "", ""])
    found = read_aligned(written(tmp_path, table), CANDIDATES, "x")
    assert found["text"].tolist() == ["Yes.", "No.", "", ""]
    assert found["answer_mass"].tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"news_id": ["N1", "N2", "N1", "N4"]}, r"predictions of x: in row 3 .*'N4'"),
        ({"label": [1, 0, 0, 0]}, "in row 3"),
        ({"score": [0.5, np.nan, 0.5, 0.5]}, "row 1 .*no finite number"),
        ({"score": [0.5, np.inf, 0.5, 0.5]}, "row 1 .*no finite number"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(
    tmp_path: Path, change: dict[str, list[object]], message: str
) -> None:
    table = ROWS.assign(score=SCORES).assign(**change)
    with pytest.raises(UserError, match=message):
        read_aligned(written(tmp_path, table), CANDIDATES, "x")


def test_a_missing_file_and_rows_too_few_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro"):
        read_aligned(tmp_path / "none.parquet", CANDIDATES, "x")
    with pytest.raises(UserError, match="3 rows; expected the 4"):
        read_aligned(written(tmp_path, ROWS.assign(score=SCORES)[:3]), CANDIDATES, "x")
