"""From what a model answered to predictions: joined by row, a softmax, nothing missing."""

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.safety.labels import CLASSES
from newsrec.safety.predictions import write_predictions
from newsrec.safety.tables import PROBABILITIES

NUM = len(CLASSES)


def write_rows(path: Path, num: int, tricks: bool = False) -> Path:
    columns = {
        "id": [f"r{row}" for row in range(num)],
        "text": ["很长"] * num,
        "label": [CLASSES[row % NUM] for row in range(num)],
        "cluster": list(range(num)),
        "normalised": ["很长"] * num,
    }
    pq.write_table(pa.table(columns | ({"trick": ["拼音"] * num} if tricks else {})), path)
    return path


def write_answers(path: Path, answers: list[list[float] | None]) -> Path:
    schema = pa.schema([("logits", pa.list_(pa.float64()))])
    pq.write_table(pa.table({"logits": answers}, schema=schema), path)
    return path


def test_each_row_gets_the_softmax_of_its_own_answer(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.parquet", 2)
    other, sure = [0.0] * NUM, [-1000.0, *[math.log(2.0)] * 2, *[0.0] * (NUM - 3)]
    answers = write_answers(tmp_path / "answers.parquet", [[9.0] * NUM, other, sure, other])
    found = write_predictions(rows, answers, "logits", 1, tmp_path / "out.parquet")
    assert found.tolist() == [other, sure]
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["id", "label", "cluster", *PROBABILITIES]
    assert [table.schema.field(name).type for name in PROBABILITIES] == [pa.float64()] * NUM
    first, second = table.to_pylist()
    assert (first["id"], first["label"], first["cluster"]) == ("r0", CLASSES[0], 0)
    assert [first[name] for name in PROBABILITIES] == pytest.approx([1 / NUM] * NUM)
    assert [second[name] for name in PROBABILITIES] == pytest.approx(
        [0, 2 / 7, 2 / 7, 1 / 7, 1 / 7, 1 / 7]
    )


def test_evasion_rows_keep_their_trick(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.parquet", 1, tricks=True)
    answers = write_answers(tmp_path / "answers.parquet", [[0.0] * NUM])
    write_predictions(rows, answers, "logits", 0, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["id", "trick", "label", "cluster", *PROBABILITIES]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([[0.0] * NUM], "2 rows but 1 answers"),
        ([[0.0] * NUM, None], "row r1 has no token to read"),
        ([[0.0] * NUM, [math.nan, *[0.0] * (NUM - 1)]], "answer to row r1 is not a number"),
        ([[math.inf] * NUM, [0.0] * NUM], "answer to row r0 is not a number"),
    ],
)
def test_a_row_without_a_class_is_named_and_nothing_is_written(
    answers: list[list[float] | None], message: str, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.parquet", 2)
    file = write_answers(tmp_path / "answers.parquet", answers)
    with pytest.raises(UserError, match=message):
        write_predictions(rows, file, "logits", 0, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
