"""Paths that programs misread, and folders that cannot be written."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.running import places
from newsrec.running.places import is_plain, is_writable, plain_path, writable_homes
from newsrec.running.processes import run_shown

ODD = ["two words", "a[1]", "d$HOME", "q'uote", 'q"uote', "c:olon", "st*r", "中", "n\nl", "back\\s"]


@pytest.mark.parametrize("name", ODD)
def test_a_path_that_a_program_may_misread_is_replaced_by_a_link(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_text("content")
    assert not is_plain(folder)
    with plain_path(folder) as path:
        assert is_plain(path)
        assert (path / "file").read_text() == "content"
    assert not path.parent.exists()
    assert (folder / "file").exists()


def test_a_plain_path_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "a-b_c+1.d", Path("data")):
        with plain_path(path) as found:
            assert found == path


def test_a_relative_path_is_as_plain_as_the_folder_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b/data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a b")
    with plain_path(Path("data")) as found:
        assert is_plain(found)
        assert found.resolve() == tmp_path / "a b/data"


def test_where_no_link_can_be_made_the_project_must_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b").mkdir()
    places._plain_folder.cache_clear()
    monkeypatch.setattr(places, "is_writable", lambda _: False)
    with pytest.raises(UserError, match="move the project"), plain_path(tmp_path / "a b"):
        pass


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which nobody can write, not even root."""
    monkeypatch.chdir(tmp_path)
    for name in places._HOMES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file/home"))
    return tmp_path / "file/home"


def test_a_folder_can_be_written_if_it_could_be_made(tmp_path: Path, unwritable: Path) -> None:
    assert is_writable(tmp_path / "not/yet")
    assert not is_writable(unwritable)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.usefixtures("unwritable")
def test_a_program_gets_a_home_where_its_own_cannot_be_written(tmp_path: Path) -> None:
    code = "import os; print(os.environ['HOME'])"
    finished = run_shown([sys.executable, "-c", code], {}, tmp_path / "log")
    assert Path(finished.tail.strip()) == tmp_path / ".work/home"
    assert (tmp_path / ".work/home").is_dir()


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "HF_HOME", "VLLM_CACHE_ROOT"])
def test_a_cache_that_cannot_be_written_is_replaced_alone(
    name: str, tmp_path: Path, unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert writable_homes() == {}
    monkeypatch.setenv(name, str(unwritable))
    assert list(writable_homes()) == [name]
    assert is_writable(Path(writable_homes()[name]))


def test_a_folder_of_temporary_files_that_cannot_be_written_is_passed_over(
    tmp_path: Path, unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(unwritable))
    assert is_writable(Path(writable_homes()["TMPDIR"]))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert writable_homes() == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a[1]", "d$HOME", "[!a]"])
def test_llamafactory_reads_samples_wherever_the_project_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import load_dataset

    from newsrec.training import llamafactory_worker

    folder = tmp_path / name
    (folder / "data").mkdir(parents=True)
    monkeypatch.chdir(folder)
    (folder / "data/x.jsonl").write_text('{"a": 1}\n')
    (folder / "train.yaml").write_text("dataset_dir: data\noutput_dir: out\n")
    seen = []

    def run_exp(arguments: dict[str, str], callbacks: object) -> None:
        file = os.path.join(arguments["dataset_dir"], "x.jsonl")  # noqa: PTH118 - as it does
        rows = load_dataset("json", data_files=[file], split="train", cache_dir=str(tmp_path / "c"))
        seen.append((rows["a"][0], arguments["output_dir"]))

    monkeypatch.setattr(llamafactory_worker, "run_exp", run_exp)
    monkeypatch.setattr(llamafactory_worker, "die_with_parent", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["worker", "train.yaml"])
    llamafactory_worker.main()
    assert seen == [(1, "out")]
