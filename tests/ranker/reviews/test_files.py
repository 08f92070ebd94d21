"""Rows of ratings and metadata: read as they stand, or one line that says what is wrong."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.ranker.reviews.files import is_gzip, read_metadata, read_ratings

HEADER = b"user_id,parent_asin,rating,timestamp\n"
ROW = b"AEX,0012345678,5.0,1628643414042\n"


def packed(content: bytes) -> bytes:
    """The content by gzip, without the time, which would be part of the names of tests."""
    return gzip.compress(content, mtime=0)


def reported(rows: Callable[[], Iterator[object]]) -> str:
    with pytest.raises(UserError) as caught:
        list(rows())
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


def written(folder: Path, content: bytes, name: str = "ratings.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        HEADER + ROW,
        packed(HEADER + ROW),
        (HEADER + ROW).removesuffix(b"\n"),
        (HEADER + ROW).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + HEADER + ROW,
        HEADER + b'"AEX","0012345678","5.0",1628643414042\n',
    ],
)
@pytest.mark.parametrize("name", ["ratings.csv", "ratings.csv.gz"])
def test_ratings_are_read_whatever_the_name_says(tmp_path: Path, content: bytes, name: str) -> None:
    path = written(tmp_path, content, name)
    assert list(read_ratings(path)) == [("AEX", "0012345678", 5.0, 1628643414042)]
    assert is_gzip(path) == content.startswith(b"\x1f\x8b")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"AEX,B1,5.0\n", ["line 2", "3 columns", "expected 4"]),
        (b"AEX,B1,5.0,1628643414042,x\n", ["line 2", "5 columns"]),
        (b"\n", ["line 2", "1 columns"]),
        (b",B1,5.0,1628643414042\n", ["line 2", "ids ''"]),
        (b"A\x00X,B1,5.0,1628643414042\n", ["line 2", "ids"]),
        (b"AEX,B1,five,1628643414042\n", ["line 2", "'five'"]),
        (b"AEX,B1,nan,1628643414042\n", ["line 2", "rating nan", "1 to 5"]),
        (b"AEX,B1,0,1628643414042\n", ["line 2", "rating 0", "1 to 5"]),
        (b"AEX,B1,5.0,1628643414\n", ["line 2", "1628643414;", "milliseconds"]),
        (b"AEX,B1,5.0,2021-08-11\n", ["line 2", "2021-08-11"]),
        (ROW + b"\xff\xfe,B1,5.0,1628643414042\n", ["line 3", "not UTF-8"]),
        (b'"AEX,B1,5.0,1628643414042\n', ["line 2", "comma-separated"]),
        (b"x" * (1 << 24) + b"\n", ["line 2", "16,777,216 bytes"]),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path: Path, row: bytes, words: list[str]) -> None:
    path = written(tmp_path, HEADER + row)
    message = reported(lambda: read_ratings(path))
    assert all(word in message for word in [str(path), *words]), message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["an empty file"]),
        (b"version https://git-lfs.github.com/spec/v1\n", ["pointer of Git LFS"]),
        (b"<!DOCTYPE html>", ["a web page"]),
        (b"PK\x03\x04....", ["a zip archive"]),
        (b"PAR1....", ["a Parquet file"]),
        (packed(HEADER + ROW * 1000)[:-20], ["broken gzip", "fetch it again"]),
        (packed(HEADER + ROW)[:-8] + b"12345678", ["broken gzip"]),
        (packed(HEADER)[:12] + b"\xff" * 30, ["broken gzip"]),
        (packed(packed(HEADER)), ["line 1", "not UTF-8"]),
        (HEADER.replace(b"rating", b"stars"), ["line 1", "user_id,parent_asin,stars,timestamp"]),
        (b"rating,title,text,asin\n", ["line 1", "rating_only"]),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = written(tmp_path, content)
    message = reported(lambda: read_ratings(path))
    assert all(word in message for word in [str(path), *words]), message


def test_no_file_is_reported_with_what_makes_it(tmp_path: Path) -> None:
    assert "no such file" in reported(lambda: read_ratings(tmp_path / "ratings.csv"))


def test_metadata_are_read_with_all_that_may_be_missing(tmp_path: Path) -> None:
    lines = [
        b'{"parent_asin": "B1", "title": "A \\ud800", "price": "from 5.99", "rating_number": 12}',
        b'{"parent_asin": "0012", "title": null, "description": ["a", "b"], "price": 7, "x": []}',
        b'{"parent_asin": "B3", "description": "c", "price": NaN, "average_rating": 1e999}',
        b'{"parent_asin": "B4", "main_category": "Bells", "price": " 12.50 ", "rating_number": ""}',
    ]
    path = written(tmp_path, b"\n".join(lines), "meta.jsonl")
    found = {row.item: row for row in read_metadata(path)}
    assert list(found) == ["B1", "0012", "B3", "B4"]
    assert [row.title for row in found.values()] == ["A \ud800", None, None, None]
    assert [row.price for row in found.values()] == [None, 7.0, None, 12.5]
    assert [row.description for row in found.values()] == ["", "a b", "c", ""]
    assert [row.rating_number for row in found.values()] == [12, None, None, None]
    assert found["B3"].average_rating is None
    assert found["B4"].category == "Bells"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", ["line 1", "expected JSON"]),
        (b"", ["an empty file"]),
        (b"[]", ["line 1", "parent_asin"]),
        (b'{"title": "x"}', ["line 1", "parent_asin"]),
        (b'{"parent_asin": 12}', ["line 1", "parent_asin"]),
        (b'{"parent_asin": "\\ud800"}', ["line 1", "parent_asin"]),
        (b'{"parent_asin": "B", "title": 5}', ["line 1", "title is '5'"]),
        (b'{"parent_asin": "B", "description": [5]}', ["line 1", "description is"]),
        (b'{"parent_asin": "B", "main_category": {}}', ["line 1", "main_category is"]),
        (b"[" * 100_000, ["line 1", "expected JSON"]),
        (b'{"parent_asin": "B", "price": ' + b"1" * 5000 + b"}", ["line 1", "expected JSON"]),
        (b'{"parent_asin": "B"}\n\xff', ["line 2", "expected JSON"]),
    ],
)
def test_metadata_of_no_item_are_named(tmp_path: Path, line: bytes, words: list[str]) -> None:
    path = written(tmp_path, line, "meta.jsonl")
    message = reported(lambda: read_metadata(path))
    assert all(word in message for word in words), message
