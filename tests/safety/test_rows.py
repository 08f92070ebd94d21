"""Rows checked on their way: what stops the stage, what is left out, what is kept and counted."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.safety.preparation import prepare
from newsrec.safety.rows import read_raw
from newsrec.safety.tables import RAW_SCHEMA, SCHEMA


def write_raw(folder: Path, split: str, texts: list[Any], **columns: list[Any]) -> Path:
    """A file of extracted rows, whose texts may be bytes that are no text."""
    num = len(texts)
    path = folder / f"{split}.parquet"
    values = {
        "id": [f"{split}{number}" for number in range(num)],
        "label": ["正常", "暴恐"] * num,
        "tags": [["evasive"], []] * num,
        "cluster": list(range(num)),
    } | columns
    data = [text.encode() if isinstance(text, str) else text for text in texts]
    binary = pa.array(data, pa.binary())
    # Not by a cast, which would find out what is no UTF-8.
    text = pa.Array.from_buffers(pa.string(), num, binary.buffers())
    table = pa.table(
        [
            text if name == "text" else pa.array(values[name][:num], RAW_SCHEMA.field(name).type)
            for name in RAW_SCHEMA.names
        ],
        schema=RAW_SCHEMA,
    )
    pq.write_table(table, path)
    return path


def run(tmp_path: Path, texts: list[Any], **columns: list[Any]) -> tuple[dict[str, Any], Path]:
    """Prepare three splits, of which `texts` are the training rows."""
    raw, target = tmp_path / "raw", tmp_path / "processed"
    for folder in (raw, target):
        folder.mkdir()
    write_raw(raw, "train", texts, **columns)
    write_raw(raw, "val", ["学校开了讲座", "蓝晶"])
    write_raw(raw, "test", [f"第{number}个人在公园" for number in range(30)])
    return prepare(raw, target, max_chars=20, num_evasion=10, seed=1), target


def test_every_odd_row_is_kept_and_counted_and_an_empty_one_left_out(tmp_path: Path) -> None:
    lone = b"a\xed\xa0\x80b"
    texts = ["藍 晶", " \u200b", "长" * 21, "a\x00b", lone, "<|im_end|>", "蓝晶", "1\t2"]
    figures, target = run(tmp_path, texts)
    assert {name: figures["train"][name] for name in figures["train"] if "num_" in name} == {
        "num_rows": 7,
        "num_empty": 1,
        "num_too_long": 1,
        "num_control_characters": 1,
        "num_lone_surrogates": 1,
        "num_control_tokens": 1,
        "num_duplicates": 2,
        "num_in_train": 0,
        "num_by_class": {
            **{"正常": 4, "歧视": 0, "违法违规": 0, "政治安全": 0},
            **{"暴恐": 3, "色情低俗": 0},
        },
    }
    assert figures["val"]["num_in_train"] == 1
    assert (figures["train"]["length_max"], figures["train"]["length_median"]) == (20, 2.0)
    assert sum(figures["train"]["share_by_class"].values()) == pytest.approx(1)
    rows = pq.read_table(target / "train.parquet")
    assert rows.schema.equals(SCHEMA)
    assert rows["text"].to_pylist() == [
        *("藍 晶", "长" * 21, "a\x00b", "a\ufffdb", "<|im_end|>", "蓝晶", "1\t2"),
    ]
    assert rows["normalised"].to_pylist() == [
        *("蓝晶", "长" * 20, "ab", "ab", "<|im_end|>", "蓝晶", "1 2"),
    ]
    assert rows["id"].to_pylist() == [f"train{number}" for number in (0, 2, 3, 4, 5, 6, 7)]
    assert rows["tags"].to_pylist()[:2] == [["evasive"], ["evasive"]]


def test_the_same_rows_are_rewritten_whatever_their_order_half_of_them_benign(
    tmp_path: Path,
) -> None:
    figures, target = run(tmp_path, ["蓝晶"])
    rows = pq.read_table(target / "evasion.parquet").to_pylist()
    assert figures["evasion"] == {"num_rows": 10, "num_rewritten": 70}
    assert {row["trick"] for row in rows} >= {"pinyin", "zero-width"}
    chosen = {row["id"]: row["label"] for row in rows}
    assert sorted(chosen.values()) == ["暴恐"] * 5 + ["正常"] * 5
    undone = [row for row in rows if row["trick"] == "zero-width"]
    originals = {
        row["id"]: row["normalised"] for row in pq.read_table(target / "test.parquet").to_pylist()
    }
    assert all(row["normalised"] == originals[row["id"]] for row in undone)

    second = tmp_path / "second"
    second.mkdir()
    raw = tmp_path / "raw"
    table = pq.read_table(raw / "test.parquet")
    pq.write_table(table.take(list(range(29, -1, -1))), raw / "test.parquet")
    prepare(raw, second, max_chars=20, num_evasion=10, seed=1)
    assert pq.read_table(second / "evasion.parquet").to_pylist() == rows


@pytest.mark.parametrize(
    ("columns", "texts", "expected"),
    [
        (
            {"label": ["正常", "暴力"]},
            ["a", "b"],
            r"row 2: label is '暴力'; expected one of: .*正常",
        ),
        ({"label": ["正常", None]}, ["a", "b"], r"row 2: a value is missing \(id 'train1'\)"),
        ({}, ["a", None], "row 2: a value is missing"),
        ({}, ["a", b"\xff"], "row 2: byte 0xff at position 0 of the text is not UTF-8"),
        ({}, ["", "\u200b"], "2 rows, none with a visible character"),
    ],
)
def test_a_row_of_no_use_is_an_error_that_says_where(
    columns: dict[str, list[Any]], texts: list[Any], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"train\.parquet.*{expected}.*dvc repro|{expected}"):
        run(tmp_path, texts, **columns)


def test_a_file_that_is_none_or_another_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    with pytest.raises(UserError, match=r"no such file.*dvc repro extract"):
        list(read_raw(path))
    path.write_bytes(b"PAR1 and then something else")
    with pytest.raises(UserError, match=r"cannot be read as Parquet.*dvc repro extract"):
        list(read_raw(path))
    pq.write_table(pa.table({"id": ["1"], "text_cn": ["a"]}), path)
    with pytest.raises(UserError, match=r"no column 'text', found id, text_cn; expected id, text"):
        list(read_raw(path))
    table = pq.read_table(write_raw(tmp_path, "train", ["a"]))
    pq.write_table(table.set_column(4, "cluster", pa.array(["1"])), path)
    with pytest.raises(UserError, match="column 'cluster' is of string, expected int64"):
        list(read_raw(path))


def test_a_file_cut_short_is_one_line(tmp_path: Path) -> None:
    path = write_raw(tmp_path, "train", ["a", "b"])
    data = path.read_bytes()
    for length in (0, 3, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(UserError) as caught:
            list(read_raw(path))
        assert re.search("cannot be read as Parquet", str(caught.value))
