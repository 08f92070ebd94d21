"""Files appear whole or not at all."""

import io
import json
import math
import sys
from pathlib import Path

import pytest

from newsrec import files
from newsrec.errors import UserError
from newsrec.files import (
    atomic_file,
    atomic_folder,
    read_json,
    read_json_list,
    requested_lines,
    sha256_folder,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def fail() -> None:
        with atomic_file(target) as draft:
            draft.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "old"


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/old").touch()

    def fail() -> None:
        with atomic_folder(tmp_path / "folder") as draft:
            (draft / "new").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "folder",
        "folder/old",
    ]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with atomic_folder(tmp_path / "folder") as draft:
            (draft / name).touch()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["two"]


def test_json_refuses_a_nan_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "metrics.json", {"auc": math.nan})
    assert list(tmp_path.iterdir()) == []


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"title": "é", "auc": 0.1})
    assert read_json(tmp_path / "a.json") == {"title": "é", "auc": 0.1}
    (tmp_path / "b.json").write_text(json.dumps([1]))
    with pytest.raises(UserError, match="found list"):
        read_json(tmp_path / "b.json")


def test_a_json_array_is_read_where_one_is_expected(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"n": 1}]')
    assert read_json_list(tmp_path / "a.json") == [{"n": 1}]
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(UserError, match=r"b\.json: expected a JSON array, found dict"):
        read_json_list(tmp_path / "b.json")
    with pytest.raises(UserError, match=r"c\.json: no such file; run the stage"):
        read_json_list(tmp_path / "c.json")


def test_standard_input_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(content: bytes) -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return list(requested_lines("-"))

    assert given("é\r\n\n\u2028b".encode()) == ["é", "", "\u2028b"]
    with pytest.raises(UserError, match=r"standard input, line 2: not UTF-8 .*; convert it"):
        given(b"a\n\xff\n")
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 4)
    with pytest.raises(UserError, match="standard input, line 2: more than 4 bytes"):
        given(b"abc\nabcde")


def test_a_folders_digest_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = sha256_folder(tmp_path)
    (tmp_path / "a").write_text("2")
    second = sha256_folder(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, sha256_folder(tmp_path)}) == 3
