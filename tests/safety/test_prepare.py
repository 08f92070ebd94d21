"""The stage `prepare` as DVC runs it: its files, its figures, and nothing half-written."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.safety.corpus.synthetic import documents
from newsrec.safety.tables import RAW_SCHEMA
from stages.safety import prepare
from tests.safety.values import write_params

VALUES = {"max_chars": 2000, "num_evasion": 20, "seed": 42}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `extract` leaves it."""
    write_params(tmp_path, prepare=VALUES)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/extract.json").write_text('{"protocol": {"data": "embedded, abc"}}')
    (tmp_path / "data/raw").mkdir(parents=True)
    for seed, split in enumerate(("train", "val", "test")):
        rows = [
            {
                "id": document.id,
                "text": document.text,
                "label": document.labels[0],
                "tags": list(document.tags),
                "cluster": 1000 * seed + number,
            }
            for number, document in enumerate(documents(100, seed))
        ]
        table = pa.Table.from_pylist(rows, schema=RAW_SCHEMA)
        pq.write_table(table, tmp_path / f"data/raw/{split}.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_and_figure_is_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.main()
    folder = project / "data/processed"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("evasion.parquet", "protocol.json"),
        *("test.parquet", "train.parquet", "val.parquet"),
    ]
    figures = json.loads((project / "metrics/prepare.json").read_text())
    assert list(figures) == ["train", "val", "test", "evasion", "protocol"]
    assert figures["train"]["num_rows"] == pq.read_metadata(folder / "train.parquet").num_rows
    assert figures["evasion"]["num_rewritten"] == 7 * 20
    assert figures["protocol"]["data"] == "embedded, abc"
    assert json.loads((folder / "protocol.json").read_text()) == figures["protocol"]
    assert "prepare: 100 train, 100 val, 100 test rows, 140 rewritten" in capsys.readouterr().out


def test_a_fault_leaves_the_earlier_result_as_it_was(project: Path) -> None:
    prepare.main()
    before = {path: path.read_bytes() for path in (project / "data/processed").iterdir()}
    raw = project / "data/raw/test.parquet"
    raw.write_bytes(raw.read_bytes()[:100])
    with pytest.raises(UserError, match=r"test\.parquet: cannot be read as Parquet"):
        prepare.main()
    after = {path: path.read_bytes() for path in (project / "data/processed").iterdir()}
    assert after == before
    assert sorted(path.name for path in (project / "data").iterdir()) == ["processed", "raw"]


def test_a_near_copy_in_another_split_is_refused_with_the_rows_of_an_example(project: Path) -> None:
    train, test = (project / f"data/raw/{split}.parquet" for split in ("train", "test"))
    rows = pq.read_table(test).to_pylist()
    copied = pq.read_table(train).to_pylist()[7]
    rows[0]["text"] = " "  # is left out, and counts as a row
    rows[30]["text"], rows[40]["text"] = f"{copied['text']}！", f"「{copied['text']}」"
    pq.write_table(pa.Table.from_pylist(rows, schema=RAW_SCHEMA), test)
    with pytest.raises(
        UserError,
        match=r"in another split: 2 of test with one in train, such as row 31 of "
        r"data/raw/test\.parquet and row 8 of data/raw/train\.parquet; .* another extract\.seed",
    ):
        prepare.main()
    assert sorted(path.name for path in (project / "data").iterdir()) == ["raw"]
    assert [path.name for path in (project / "metrics").iterdir()] == ["extract.json"]
