"""The stage `extract` from parameters to files; a mistake is one line and leaves nothing."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from dvc_data.hashfile.istextfile import istextblock
from python_calamine import CalamineWorkbook

from newsrec.running.stage import run_stage
from newsrec.safety.labels import CLASSES
from newsrec.safety.leaks import leak_gate
from newsrec.safety.normalisation import normalise
from newsrec.safety.sources.embedded import PYTHON_VARIABLE, serve, stored
from newsrec.safety.sources.mongodb import PASSWORD_VARIABLE, Connection
from newsrec.safety.tables import SPLITS
from newsrec.safety.xlsx import write_xlsx
from stages.safety import extract
from tests.safety.conftest import FIELDS
from tests.safety.planted import texts
from tests.safety.values import write_params

SETTINGS: dict[str, Any] = {
    "source": "files",
    "path": "given.xlsx",
    "uri": "mongodb://127.0.0.1:27017",
    "database": "safety",
    "collection": "documents",
    "user": None,
    "auth_source": "admin",
    "text_field": "text_cn",
    "label_field": "n_labels",
    "tags_field": "tags",
    "quotas": {
        split: dict.fromkeys(CLASSES, number)
        for split, number in {"train": 50, "val": 10, "test": 15}.items()
    },
    "multi_label": "most_severe",
    "unknown_label": "skip",
    "allow_fewer": False,
    "near_copy_threshold": 0.7,
    "write_xlsx": True,
    "seed": 1,
    "corpus": None,
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of texts."""
    path = tmp_path_factory.mktemp("given") / "given.xlsx"
    rows = [(one.text, one.labels[0]) for one in texts(600, seed=5)]
    write_xlsx(path, ("text_cn", "n_labels"), rows, "")
    return path


@pytest.fixture
def workplace(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run the stage in, with a table of texts."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(given, tmp_path / "given.xlsx")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], **changes: object) -> tuple[object, str]:
    """The exit code of the stage and what it shows."""
    write_params(Path(), extract=SETTINGS | changes)
    code: object = 0
    try:
        run_stage(extract.main)
    except SystemExit as error:
        code = error.code
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def check_files() -> None:
    """Both files of each split hold the same rows, and nothing leaks."""
    tables = {split: pq.read_table(f"data/raw/{split}.parquet") for split in SPLITS}
    for split, table in tables.items():
        with CalamineWorkbook.from_path(f"data/raw/{split}.xlsx") as book:
            header, *rows = book.get_sheet_by_index(0).iter_rows()
        assert header == ["text_cn", "extracted_label"]
        assert [row[0] for row in rows] == table["text"].to_pylist()
        assert [row[1] for row in rows] == table["label"].to_pylist()
    frames = {split: table.to_pandas() for split, table in tables.items()}
    read = {
        split: rows.assign(normalised=rows.text.map(normalise)) for split, rows in frames.items()
    }
    assert not any(sum(found.values()) for found in leak_gate(read, 0.7, seed=7).values())
    assert sorted(path.name for path in Path("data/raw").iterdir()) == sorted(
        f"{split}.{kind}" for split in SPLITS for kind in ("parquet", "xlsx")
    )


@pytest.mark.slow
def test_files_are_extracted(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(capsys)
    assert code == 0, shown
    assert "extract: 300 train, 60 val, 90 test rows in" in shown
    check_files()
    found = json.loads(Path("metrics/extract.json").read_text(encoding="utf-8"))
    assert found["train"] == {"num_rows": 300, **dict.fromkeys(CLASSES, 50)}
    # Whatever the numbers, the beginning is text to DVC, or it takes no metrics from the file.
    assert istextblock(Path("metrics/extract.json").read_bytes()[:512].translate(None, b"12345678"))
    before = (workplace / "given.xlsx").read_bytes()
    kept = {path: path.read_bytes() for path in Path("data/raw").iterdir()}
    run(capsys)
    assert kept == {path: path.read_bytes() for path in Path("data/raw").iterdir()}
    assert (workplace / "given.xlsx").read_bytes() == before


def _train_alone(**quota: int) -> dict[str, dict[str, int]]:
    return {"train": quota, "val": {}, "test": {}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text_field": "text"}, "no such column"),
        ({"path": "other.xlsx"}, "other.xlsx: no such file"),
        ({"source": "mongo"}, "extract.source is 'mongo'; expected one of"),
        ({"source": "embedded"}, "extract.corpus is null"),
        ({"near_copy_threshold": 0}, "near_copy_threshold is 0"),
        (
            {"quotas": {"train": {"歧视": 300}, "val": {}, "test": {}}},
            "98 rows there, train 98 of 300; .*allow",
        ),
        (
            {"quotas": {"train": {"歧试": 3}, "val": {}, "test": {}}},
            r"quotas.train.歧试 is no label",
        ),
        ({"source": "mongodb", "user": "me"}, "no password for the user 'me'"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    changes: dict[str, object],
    words: str,
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    code, shown = run(capsys, **changes)
    (line,) = [line for line in shown.splitlines() if line.startswith("extract: ")]
    assert code == 2
    assert re.search(words, line), line
    assert not Path("data").exists()
    assert not Path("metrics").exists()


@pytest.mark.slow
def test_a_text_longer_than_a_cell_is_refused_unless_xlsx_is_left_out(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text_cn": "长" * 40_000, "n_labels": "正常", "id": "long"}]
    (workplace / "given.jsonl").write_text("\n".join(map(json.dumps, rows)))
    quotas = {"train": {"正常": 1}, "val": {}, "test": {}}
    given = {"path": "given.jsonl", "quotas": quotas}
    code, shown = run(capsys, **given)
    assert code == 2
    assert "40,000 UTF-16 units; expected at most a cell's 32,767; set extract.write_xlsx" in shown
    assert not list(Path("data").iterdir())
    assert run(capsys, **given, write_xlsx=False)[0] == 0
    assert pq.read_table("data/raw/train.parquet")["text"].to_pylist() == ["长" * 40_000]


@pytest.mark.slow
def test_the_embedded_server_is_extracted(
    server_python: Path,
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def documents(num: int, seed: int) -> Iterator[object]:
        yield from texts(num, seed)
        yield SimpleNamespace(id="two", text="两个标签", labels=["歧视", "暴恐"], tags=[])

    stub = SimpleNamespace(documents=documents)
    monkeypatch.setitem(sys.modules, "newsrec.safety.corpus.synthetic", stub)
    monkeypatch.setenv(PYTHON_VARIABLE, str(server_python))
    before = len(psutil.Process().children())
    given = {"source": "embedded", "corpus": {"num_documents": 900, "seed": 2}}
    code, shown = run(capsys, **given)
    assert code == 0, shown
    check_files()
    found = json.loads(Path("metrics/extract.json").read_text(encoding="utf-8"))
    assert found["source_rows"]["num_rows"] == 901
    assert found["several_labels"]["暴恐"] == 1
    assert found["num_near_copies"] > 10
    assert len(psutil.Process().children()) == before
    assert not Path(".work/extract").exists()
    kept = {path: path.read_bytes() for path in Path("data/raw").iterdir()}
    assert run(capsys, **given)[0] == 0
    assert kept == {path: path.read_bytes() for path in Path("data/raw").iterdir()}


@pytest.mark.slow
def test_a_class_without_a_quota_is_counted_in_a_collection(
    server_python: Path,
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planted = list(texts(600, 5))
    quotas = {split: {"歧视": 10, "正常": 10} for split in ("train", "val", "test")}
    with serve([stored(one, FIELDS) for one in planted], workplace / "server") as server:
        monkeypatch.setenv(PASSWORD_VARIABLE, str(server.password))
        code, shown = run(capsys, **_settings(server), quotas=quotas)
    assert code == 0, shown
    found = json.loads(Path("metrics/extract.json").read_text(encoding="utf-8"))
    assert found["source_rows"]["num_rows"] == 600
    assert found["source_rows"]["暴恐"] > 50
    of_benign = found["source_rows"]["正常"] / 600
    assert found["share_benign_in_source"] == pytest.approx(of_benign)


@pytest.mark.slow
@pytest.mark.parametrize("is_right", [True, False])
def test_the_password_is_in_no_file_no_output_and_no_process_list(
    is_right: bool,
    server_python: Path,
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serve([stored(one, FIELDS) for one in texts(600, 5)], workplace / "server") as server:
        secret = str(server.password) if is_right else "wrong-1f0c9d"
        monkeypatch.setenv(PASSWORD_VARIABLE, secret)
        listed = []
        monkeypatch.setattr(
            extract, "write_splits", _listing(listed, extract.write_splits), raising=True
        )
        code, shown = run(capsys, **_settings(server))
        assert code == (0 if is_right else 2), shown
        assert len(listed) == is_right
        assert not [command for command in listed if secret in command]
    assert secret not in shown
    files = [path for path in workplace.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert is_right or "refuses user 'reader'" in shown


def _settings(server: Connection) -> dict[str, object]:
    names = ("uri", "database", "collection", "user", "auth_source")
    return {"source": "mongodb", **{name: getattr(server, name) for name in names}}


def _listing(listed: list[str], write: Any) -> Any:
    def wrapped(*args: Any, **options: Any) -> None:
        listed.append("".join(str(one.info["cmdline"]) for one in psutil.process_iter(["cmdline"])))
        write(*args, **options)

    return wrapped
