"""The stage from lists to samples, by each teacher, and killed on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from newsrec.engines.settings import KEY_VARIABLE, URL_VARIABLE
from newsrec.errors import UserError
from stages.ranker import teach
from tests import ROOT
from tests.engines.texts_server import Reply, TextsServer, written
from tests.ranker import made_lists
from tests.ranker.made_tree import write
from tests.ranker.values import write_params

pytestmark = pytest.mark.slow

KEY = "sk-very-secret-123"
FILES = (
    *("data/processed/ranker_train.jsonl", "data/processed/ranker_val.jsonl"),
    *("data/processed/dataset_info.json", "metrics/teach.json"),
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    set_teacher(tmp_path, teacher="local")
    made_lists.write_processed(tmp_path / "data/processed", num_train=300)
    write(tmp_path / "metrics/prepare.json", {"protocol": {"data": "made up"}})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def set_teacher(folder: Path, **changed: object) -> None:
    write_params(
        folder, teach={"num_train": 240, "num_val": 20, **changed}, score={"api_max_tries": 3}
    )


def outputs(tree: Path) -> dict[str, bytes]:
    return {name: (tree / name).read_bytes() for name in FILES}


def run(tree: Path, variables: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    with (tree / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "stages.ranker.teach"],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def num_requested(tree: Path) -> int:
    return json.loads((tree / "metrics/timings/teach.json").read_text())["num_requested"]


def test_the_local_teacher_is_asked_over_the_wire_and_named(tree: Path) -> None:
    teach.main()
    found = json.loads((tree / "metrics/teach.json").read_text())
    assert found["teacher"] == found["protocol"]["teacher"] == "local"
    train = found["train"]
    assert train["num_asked"] == 240
    kept = (tree / "data/processed/ranker_train.jsonl").read_text().splitlines()
    assert len(kept) == train["num_right"] == train["num_yes"] + train["num_no"]
    assert min(train[f"num_{name}"] for name in ("wrong", "unparsed", "truncated")) > 0
    assert set(found["taken"]["failures"]) == {"429", "500", "reply"}
    # Nobody is asked about validation: its answers are the labels.
    assert found["val"] == {
        "num_asked": 20,
        "num_right": 20,
        "num_yes": 10,
        "num_no": 10,
        **dict.fromkeys(("num_wrong", "num_unparsed", "num_truncated", "num_filtered"), 0),
    }
    assert not (tree / ".work/teach").exists()


def test_without_a_teacher_the_labels_are_the_answers(tree: Path) -> None:
    set_teacher(tree, teacher="none")
    teach.main()
    found = json.loads((tree / "metrics/teach.json").read_text())
    assert found["train"]["num_right"] == 240
    assert found["taken"] == {}


def test_killed_and_begun_again_it_writes_the_same_bytes(tree: Path) -> None:
    teach.main()
    expected, num = outputs(tree), num_requested(tree)
    for name in FILES:
        (tree / name).unlink()
    journal = tree / ".work/teach/journal.jsonl"
    killed = run(tree)
    while not journal.exists() or journal.read_bytes().count(b"\n") < 40:
        assert killed.poll() is None, (tree / "log").read_text()
        time.sleep(0.002)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    num_kept = journal.read_bytes().count(b"\n")
    assert 40 <= num_kept < num <= 240
    assert run(tree).wait() == 0, (tree / "log").read_text()
    assert outputs(tree) == expected
    assert num_requested(tree) == num - num_kept


def test_a_server_behind_a_url_is_never_asked_twice_and_the_key_is_nowhere(tree: Path) -> None:
    set_teacher(tree, teacher="url", model="a-model", price_prompt=2.0, price_completion=8.0)

    def reply_to(prompt: str, before: int) -> Reply:
        time.sleep(0.01)
        number = sum(prompt.encode())
        if before == 0 and number % 7 == 0:
            return (429, {"Retry-After": "0"}, f"slow down, {KEY}") if number % 2 else (500, {}, "")
        answer = "yes" if number % 3 else "no"
        return written(f"<answer>{answer}</answer>", prompt_tokens=100, completion_tokens=10)

    with TextsServer(reply_to) as server:
        variables = {URL_VARIABLE: server.url, KEY_VARIABLE: KEY}
        killed = run(tree, variables)
        while sum(server.answered.values()) < 60:
            assert killed.poll() is None, (tree / "log").read_text()
            time.sleep(0.002)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        journal = tree / ".work/teach/journal.jsonl"
        num_kept = journal.read_bytes().count(b"\n")
        assert run(tree, variables).wait() == 0, (tree / "log").read_text()
        num = len(server.answered)  # some of the 240 questions are equal
        assert 200 < num <= 240
        assert num_requested(tree) == num - num_kept
        # Only what was on its way when it was killed was answered twice, eight at most.
        assert sum(server.answered.values()) - num <= 8
        assert server.keys == {f"Bearer {KEY}"}
        # Nor by a later run, which asks more of it.
        set_teacher(tree, teacher="url", model="a-model", num_train=250)
        assert run(tree, variables).wait() == 0
        assert num < len(server.answered) == num + num_requested(tree)
    found = json.loads((tree / "metrics/teach.json").read_text())
    assert found["protocol"]["teacher"] == "a-model"
    assert found["taken"]["failures"].keys() <= {"429", "500", "connection"}
    for path in tree.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_a_url_without_an_address_or_a_name_is_a_users_error(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_teacher(tree, teacher="url")
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    with pytest.raises(UserError, match=f"{URL_VARIABLE} is not set"):
        teach.main()
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:1/v1")
    with pytest.raises(UserError, match=r"teach\.model is not set"):
        teach.main()
