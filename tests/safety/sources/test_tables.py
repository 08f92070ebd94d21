"""Files of every kind are read string for string, and faults are named in one line."""

import csv
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xlsxwriter import Workbook

from newsrec.errors import UserError
from newsrec.safety.sources.tables import read_documents
from newsrec.safety.xlsx import write_xlsx

TEXTS = ["=cmd|'/c calc'!A0", "NA", "007", "_x000D_", 'a,b\r\n"c"', " 空 格 ", "nan", "长" * 32_767]
COLUMNS = ("text_cn", "extracted_label")


def write_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])


def write_jsonl(path: Path, rows: list[tuple[str, ...]]) -> None:
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows]
    path.write_text("\n".join(lines) + "\n")


def write_parquet(path: Path, rows: list[tuple[str, ...]]) -> None:
    pq.write_table(
        pa.table({name: [row[n] for row in rows] for n, name in enumerate(COLUMNS)}), path
    )


def write_book(path: Path, rows: list[tuple[str, ...]]) -> None:
    write_xlsx(path, COLUMNS, rows, "")


WRITERS: dict[str, Callable[[Path, list[tuple[str, ...]]], None]] = {
    "a.xlsx": write_book,
    "a.csv": write_csv,
    "a.jsonl": write_jsonl,
    "a.parquet": write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_is_read_string_for_string(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, [(text, "正常") for text in TEXTS])
    found = list(read_documents(tmp_path / name, *COLUMNS, None))
    assert [one.text for one in found] == TEXTS
    assert {one.labels for one in found} == {"正常"}
    assert len({one.key for one in found}) == len(TEXTS)
    assert found[0].id.startswith(f"{name}:")


@pytest.mark.parametrize("name", WRITERS)
def test_a_column_that_is_missing_is_named_beside_the_nearest(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, [("a", "正常")])
    with pytest.raises(UserError, match=r"no such column.*'text_en'; .*did you mean 'text_cn'"):
        list(read_documents(tmp_path / name, "text_en", COLUMNS[1], None))


def test_the_sheet_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    with Workbook(str(tmp_path / "a.xlsx")) as book:
        book.add_worksheet("说明").write_row(0, 0, ("read me",))
        book.add_worksheet("texts").write_row(0, 0, COLUMNS)
    with pytest.raises(UserError, match=r"a\.xlsx, sheet '说明' \(only the first sheet is read\)"):
        list(read_documents(tmp_path / "a.xlsx", *COLUMNS, None))


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "a.parquet"])
@pytest.mark.parametrize("repeated", ["text", "label", "tags", "id"])
def test_a_column_that_is_there_twice_is_refused(name: str, repeated: str, tmp_path: Path) -> None:
    header = ["id", "text", "label", "tags", "other", "other", repeated]
    row = ["1", "文", "正常", "x", "a", "b", "歧视"]
    if name == "a.xlsx":
        with Workbook(str(tmp_path / name)) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, header)
            sheet.write_row(1, 0, row)
    elif name == "a.csv":
        (tmp_path / name).write_text(f"{','.join(header)}\n{','.join(row)}\n", encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_arrays([[cell] for cell in row], header), tmp_path / name)
    with pytest.raises(UserError, match=rf"{name}.*: 2 columns are called '{repeated}'"):
        list(read_documents(tmp_path / name, "text", "label", "tags"))


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_file_has_no_column(name: str, tmp_path: Path) -> None:
    if name == "a.xlsx":
        with Workbook(str(tmp_path / name)) as book:
            book.add_worksheet()
    elif name == "a.parquet":
        pq.write_table(pa.table({"other": pa.array([], pa.string())}), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(b"" if name == "a.csv" else b"{}\n")
    with pytest.raises(UserError, match=r"a\.\w+.*no such column.*is 'text_cn'"):
        list(read_documents(tmp_path / name, *COLUMNS, None))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("a.xlsx", "save it again as .xlsx"),
        ("a.csv", "unexpected end of data; save it as CSV again"),
        ("a.jsonl", "line 3: no JSON .*; correct it"),
        ("a.parquet", "no readable Parquet file .*; write it again"),
    ],
)
def test_a_damaged_file_is_named(name: str, remedy: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, [("文本，\n" * 50, "正常")] * 3)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:-40])
    with pytest.raises(UserError, match=rf"{name}.*{remedy}"):
        list(read_documents(tmp_path / name, *COLUMNS, None))


@pytest.mark.parametrize("name", ["a.xls", "a.xlsx"])
def test_an_old_workbook_is_refused_whatever_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512))
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(UserError, match=r"an old .xls.*save it as Excel workbook"):
            list(read_documents(path, *COLUMNS, None))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        list(read_documents(tmp_path / "a.csv", *COLUMNS, None))
    with pytest.raises(UserError, match=r"no file of .xlsx, .csv"):
        list(read_documents(tmp_path, *COLUMNS, None))
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(UserError, match=r"the ending is '.txt'; expected one of: .csv"):
        list(read_documents(tmp_path / "a.txt", *COLUMNS, None))


def test_a_folder_is_read_whole_and_ids_are_kept(tmp_path: Path) -> None:
    for name in ("b", "a"):
        rows = f"id,text,label,tags\n{name}1,文,正常,x\n,本,歧视,\n"
        (tmp_path / f"{name}.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "~$a.xlsx").write_bytes(b"a lock of Excel")
    found = list(read_documents(tmp_path, "text", "label", "tags"))
    assert [one.id for one in found] == ["a1", "a.csv:3", "b1", "b.csv:3"]
    assert [one.tags for one in found] == ["x", "", "x", ""]
    assert len({one.key for one in found}) == 4


def test_numbers_in_other_columns_are_text_and_dates_are_none(tmp_path: Path) -> None:
    with Workbook(str(tmp_path / "a.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(2, 1, COLUMNS)  # not in the corner
        sheet.write_boolean(3, 1, True)
        sheet.write_datetime(
            4,
            1,
            datetime(2020, 1, 2),
            book.add_format({"num_format": "yyyy-mm-dd"}),
        )
        sheet.write_formula(5, 1, "=1+1", None, "两")
        for row, number in enumerate((12, 1.5, 3), start=3):
            sheet.write_number(row, 2, number)
    found = list(read_documents(tmp_path / "a.xlsx", *COLUMNS, None))
    assert not any(isinstance(one.text, str) for one in found[:2])
    assert found[2].text == "两"  # what the cell showed
    assert [one.labels for one in found] == ["12", "1.5", "3"]
    assert found[0].id == "a.xlsx:4"


@pytest.mark.parametrize("code", [None, "000"])
def test_a_text_that_is_a_number_is_refused_however_it_is_shown(
    code: str | None, tmp_path: Path
) -> None:
    with Workbook(str(tmp_path / "a.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(2, 1, COLUMNS)  # not in the corner
        sheet.write_row(3, 1, ("文", "正常"))
        sheet.write_number(4, 1, 7, code and book.add_format({"num_format": code}))
        sheet.write_string(4, 2, "正常")
    message = r"a.xlsx, row 5, column 'text_cn': the number 7, .* save the sheet as CSV"
    with pytest.raises(UserError, match=message):
        list(read_documents(tmp_path / "a.xlsx", *COLUMNS, None))


def test_labels_and_tags_of_a_table_may_be_lists(tmp_path: Path) -> None:
    columns = {"text": ["文"], "label": [["歧视", "暴恐"]], "tags": [["a", "b"]]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text(json.dumps({name: one[0] for name, one in columns.items()}))
    for one in read_documents(tmp_path, "text", "label", "tags"):
        assert (one.labels, one.tags) == (["歧视", "暴恐"], ["a", "b"])


def test_a_csv_of_another_encoding_says_how_to_turn_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text,label\n文本,正常\n".encode("gb18030"))
    with pytest.raises(UserError, match=r"is not UTF-8.*iconv -f gb18030"):
        list(read_documents(tmp_path / "a.csv", "text", "label", None))


def test_a_row_with_other_cells_than_the_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,正常\na,b,正常\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"a.csv, line 3: 3 cells; expected 2"):
        list(read_documents(tmp_path / "a.csv", "text", "label", None))


def test_a_lone_surrogate_of_json_is_left_to_the_draw(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a\\ud800", "label": "正常"}', encoding="utf-8")
    (found,) = read_documents(tmp_path / "a.jsonl", "text", "label", None)
    assert found.text == "a\ud800"


def test_a_key_may_be_missing_in_some_objects(tmp_path: Path) -> None:
    rows = [{"text": "文", "label": "正常", "id": "a\ud800"}, {"label": "正常"}, {"text": "文"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = list(read_documents(tmp_path / "a.jsonl", "text", "label", None))
    assert [(one.text, one.labels) for one in found] == [
        ("文", "正常"),
        (None, "正常"),
        ("文", None),
    ]
    assert found[0].id == "a\\ud800"
