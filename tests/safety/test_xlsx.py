"""Strings that are written as xlsx read back the same, or are refused in one line."""

from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from newsrec.errors import UserError
from newsrec.safety import xlsx
from newsrec.safety.xlsx import write_xlsx

HOSTILE = [
    "=cmd|'/c calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "{=1+1}",
    "NA",
    "#N/A",
    "nan",
    "TRUE",
    "007",
    "1e5",
    "12345678901234567890",
    "2020-01-01",
    "http://example.org",
    "_x000D_",
    "_x000d_",
    "a_x005F_x000D_b",
    "_x_x0041__",
    "_x0041_x0042_x0043_",
    "_x0041\x01",
    "\x01x0041_",
    "__x0041_",
    "a\r\nb\rc\nd\te",
    " before and behind ",
    "\x00\x01\x08\x0b\x1f\x7f\x85\ufdd0",
    "<b>&amp;</b>]]>",
    "\u2028\u200b\ufeff",
    "x" * 32_767,
    "😀" * 16_383 + "x",
]


def read_back(path: Path) -> list[list[object]]:
    with CalamineWorkbook.from_path(path) as book:
        return [list(row) for row in book.get_sheet_by_index(0).iter_rows()]


def test_hostile_strings_read_back_the_same(tmp_path: Path) -> None:
    rows = [(text, "正常") for text in HOSTILE]
    write_xlsx(tmp_path / "a.xlsx", ("text_cn", "extracted_label"), rows, "shorten it")
    assert read_back(tmp_path / "a.xlsx") == [
        ["text_cn", "extracted_label"],
        *([text, "正常"] for text in HOSTILE),
    ]


def test_nothing_is_a_formula_or_a_link(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "a.xlsx", ("text",), [(text,) for text in HOSTILE], "")
    with ZipFile(tmp_path / "a.xlsx") as parts:
        sheet = ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml"))
        assert not [name for name in parts.namelist() if "rels/sheet" in name]
    kinds = {(one.tag.partition("}")[2], one.get("t")) for one in sheet.iter()}
    assert {kind for tag, kind in kinds if tag == "c"} == {"inlineStr"}
    assert not {"f", "v", "hyperlink"} & {tag for tag, _ in kinds}


_PATH: list[Path] = []


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    _PATH[:] = [tmp_path]


# Every character but those that Python has and Unicode not.
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"))


_TRICKY = st.text("_x0041F\x01\r\n<&;")


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists((_TEXTS | _TRICKY).filter(bool), min_size=1, max_size=20))
def test_any_string_reads_back_the_same(texts: list[str]) -> None:
    path = _PATH[0] / "any.xlsx"
    write_xlsx(path, ("text",), [(text,) for text in texts], "")
    assert [row[0] for row in read_back(path)] == ["text", *texts]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x" * 32_768, "the text has 32,768 UTF-16 units; expected at most a cell's 32,767"),
        ("😀" * 16_384, "the text has 32,768 UTF-16 units"),
        ("a\uffff", "the text holds U\\+FFFF, which no xlsx can"),
        ("a\ud800", "the text holds U\\+D800"),
    ],
)
def test_what_no_cell_holds_is_refused_and_nothing_left(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(UserError, match=rf"a.xlsx, row 3, text: {fault}.*; shorten it$"):
        write_xlsx(tmp_path / "a.xlsx", ("text",), [("a",), (text,)], "shorten it")
    assert not list(tmp_path.iterdir())


def test_more_rows_than_a_sheet_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 3)
    write_xlsx(tmp_path / "a.xlsx", ("text",), [("a",)] * 2, "")
    with pytest.raises(UserError, match="more rows than a sheet's 3; split it"):
        write_xlsx(tmp_path / "b.xlsx", ("text",), [("a",)] * 3, "split it")
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]


def test_the_same_rows_are_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        write_xlsx(tmp_path / name, ("text",), [("a",)], "")
        monkeypatch.setattr("time.time", lambda: 2e9)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
