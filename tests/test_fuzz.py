"""A small fuzz of the readers of files from outside (`make fuzz` is a large one); their memory."""

import re
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.files import MAX_LINE_BYTES
from newsrec.news.external import read_external
from newsrec.news.leaderboard.submission import validate_submission
from newsrec.news.mind.tables import read_behaviors, read_news
from tests import fuzz

ROW = "1\tU1\t11/12/2019 2:14:46 PM\tN1\tN3-1 N4-0\n"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "num"), [("mind", 300), ("predictions", 200)])
def test_only_our_own_error_leaves_a_reader(name: str, num: int, tmp_path: Path) -> None:
    counts, _ = fuzz.fuzz(name, num, 7, tmp_path, tmp_path / "kept")
    assert counts["accepted"] + counts["refused"] == num
    assert counts["accepted"] > num / 100
    assert counts["refused"] > num / 2


@pytest.mark.slow
def test_the_fuzz_finds_what_leaves_a_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsrec.news.mind.tables._refuse_character", None)
    with pytest.raises(AssertionError, match=r"kept/\d+-.*TypeError"):
        fuzz.fuzz("mind", 400, 7, tmp_path, tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 1


def reported(call: Callable[[], object]) -> str:
    """The message about the file, produced in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as caught:
            call()
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_LINE_BYTES
    finally:
        tracemalloc.stop()
    return str(caught.value)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file of 64 GB without a line end, which takes no place on the disk."""
    path = tmp_path / "news.tsv"
    with path.open("wb") as stream:
        stream.write(b"N1")
        stream.truncate(64 << 30)
    return path


def test_a_line_without_an_end_is_not_read_into_memory(endless: Path, tmp_path: Path) -> None:
    found = "line 1: more than 16,777,216 bytes without a line end"
    assert found in reported(lambda: read_news(endless))
    behaviors = endless.rename(tmp_path / "behaviors.tsv")
    assert found in reported(lambda: list(read_behaviors(behaviors)))
    folder = tmp_path / "outside"
    folder.mkdir()
    behaviors.rename(folder / "a.csv")
    candidates = pd.DataFrame({"impression_id": ["1"]})
    assert found in reported(lambda: read_external(folder, candidates, tmp_path, []))


def test_a_line_without_an_end_in_a_zip_is_not_read_into_memory(tmp_path: Path) -> None:
    behaviors, prediction = tmp_path / "behaviors.tsv", tmp_path / "prediction.zip"
    behaviors.write_text(ROW)
    with (
        zipfile.ZipFile(prediction, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("prediction.txt", "w") as member,
    ):
        for _ in range(20):
            member.write(bytes(10**6))
    assert prediction.stat().st_size < 10**6
    assert "line 1: more than 16,777,216" in reported(
        lambda: validate_submission(prediction, behaviors)
    )


def test_parquet_that_stands_for_many_rows_is_not_read(tmp_path: Path) -> None:
    rows = 10**6
    table = pa.table(
        {name: pa.nulls(rows, pa.string()) for name in ("impression_id", "user_id", "news_id")}
        | {name: pa.nulls(rows, pa.int8()) for name in ("label", "score")}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    del table
    candidates = pd.DataFrame({"impression_id": ["1"]})
    assert "a.parquet: 1,000,000 rows or more; expected one for each" in reported(
        lambda: read_external(tmp_path, candidates, tmp_path, [])
    )


@pytest.mark.parametrize("name", [b"new", b"p_\xff\xff"], ids=ascii)
def test_an_odd_name_of_a_column_does_not_hide_the_number_of_rows(
    name: bytes, tmp_path: Path
) -> None:
    rows = pa.nulls(2_000, pa.int8())
    pq.write_table(
        pa.table({"p_no": rows, "label": rows}), tmp_path / "a.parquet", store_schema=False
    )
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data.replace(b"p_no", name.ljust(4, b"_")))
    candidates = pd.DataFrame({"impression_id": ["1"]})
    assert re.search(
        "a.parquet: (2,000 rows or more|not a Parquet file)",
        reported(lambda: read_external(tmp_path, candidates, tmp_path, [])),
    )


def test_a_csv_of_many_more_rows_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "impression_id,user_id,news_id,label,score\n" + "1,1,1,0,0\n" * 9999
    )
    candidates = pd.DataFrame({"impression_id": ["1"]})
    assert "a.csv: 1,003 rows or more" in reported(
        lambda: read_external(tmp_path, candidates, tmp_path, [])
    )
