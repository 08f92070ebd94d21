"""What a stage does before and behind its work; with DVC itself: tests/faults."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
import yaml

from newsrec.running import stage_runs, unrecorded
from newsrec.running.dvc_stage import DvcStage, md5, read_lock, read_stage, stage_name
from newsrec.running.stage import run_stage
from newsrec.running.unrecorded import adopt, drop_recorded, inputs_of, keep
from tests import ROOT
from tests.test_dvc_yaml import GRAPH as STAGES
from tests.test_dvc_yaml import paths_of

GRAPH = {
    "stages": {
        "one": {
            "cmd": "python -m one ${section.value}",
            "deps": ["code.py", "data", "${section.folder}"],
            "params": ["section", "other.value", {"more.yaml": ["a"]}],
            "outs": [{"out": {"push": False}}],
            "metrics": [{"one.json": {"cache": False}}],
        },
        "many": {
            "foreach": {"base": "models/base", "tuned": "models/merged"},
            "do": {"cmd": "run ${key} ${item}", "deps": ["${item}"], "outs": ["${key}.json"]},
        },
        "listed": {
            "foreach": ["a", "b"],
            "do": {"cmd": "run ${item} ${list[1]}", "outs": ["${item}.json"]},
        },
        "beyond": {"cmd": "run ${list[2]}"},
        "parts": {"cmd": "run", "outs": ["made/deep/one", "made/two"]},
        "elsewhere": {"cmd": "run", "wdir": "folder"},
        "unknown": {"cmd": "run ${vars.none}"},
        "crossed": {"matrix": {"a": [1, 2]}, "cmd": "run ${item.a}"},
    }
}
PARAMS = {
    "section": {"value": 1, "folder": "mine"},
    "other": {"value": 2, "unused": 3},
    "list": ["x", "y"],
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dvc.yaml, its parameters and the inputs of the stage `one`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setattr(sys, "argv", ["one"])
    write("dvc.yaml", GRAPH)
    write("params.yaml", PARAMS)
    write("more.yaml", {"a": 1})
    for folder in ("data/part", "mine"):
        Path(folder).mkdir(parents=True)
        (Path(folder) / "file").write_text(folder)
    Path("code.py").write_text("pass")
    return tmp_path


def write(path: str, values: object) -> None:
    Path(path).write_text(yaml.safe_dump(values))


def one() -> DvcStage:
    stage = read_stage("one")
    assert stage is not None
    return stage


def test_a_stage_is_read_with_its_values() -> None:
    assert one() == DvcStage(
        name="one",
        cmd="python -m one 1",
        deps=("code.py", "data", "mine", "more.yaml"),
        params=("section", "other.value"),
        outs=("out", "one.json"),
    )
    tuned = read_stage("many@tuned")
    assert tuned == DvcStage(
        "many@tuned", "run tuned models/merged", ("models/merged",), (), ("tuned.json",)
    )
    listed = read_stage("listed@b")
    assert listed is not None
    assert (listed.cmd, listed.outs) == ("run b y", ("b.json",))


@pytest.mark.parametrize("name", ["elsewhere", "unknown", "beyond", "crossed@1", "missing"])
def test_a_stage_that_only_dvc_can_read_is_none(name: str) -> None:
    assert read_stage(name) is None


def test_every_stage_of_the_pipeline_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for path, entry in STAGES.items():
        if path == "submission":
            continue
        pipeline, _, name = path.rpartition("/")
        monkeypatch.chdir(ROOT / "pipelines" / pipeline if pipeline else ROOT)
        each = entry.get("foreach", {"": ""})
        # A list in params.yaml, as DVC resolves it.
        for key in ["exact", "softmax"] if each == "${rl.trained}" else each:
            stage = read_stage(f"{name}@{key}" if key else name)
            assert stage is not None
            body = entry.get("do", entry)
            assert len(stage.deps) == len(body["deps"])
            listed = paths_of(
                [out for kind in ("outs", "metrics", "plots") for out in body.get(kind, [])]
            )
            assert set(stage.outs) == {out.replace("NAME", key) for out in listed}


def test_a_stage_has_one_name_by_dvc_and_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["script", "tuned", "models/merged"])
    assert stage_name("many") == "many@tuned"
    assert stage_name("one") == stage_name("script").replace("script", "one") == "one"
    monkeypatch.setenv("DVC_STAGE", "many@base")
    assert stage_name("many") == "many@base"


def write_outputs(text: str = "made") -> None:
    Path("out/part").mkdir(parents=True, exist_ok=True)
    Path("out/part/weights").write_text(text)
    Path("one.json").write_text(f'{{"seconds": "{text}"}}')


def remove_outputs() -> None:
    for path in (Path("out/part/weights"), Path("one.json")):
        path.unlink()
    Path("out/part").rmdir()
    Path("out").rmdir()


def kept() -> dict:
    write_outputs()
    inputs = inputs_of(one(), md5)
    keep(one(), inputs)
    remove_outputs()
    return inputs


def test_finished_outputs_come_back_for_the_same_inputs() -> None:
    inputs = kept()
    Path("out").mkdir()
    Path("out/half").write_text("of another run")
    assert adopt(one(), inputs)
    assert Path("out/part/weights").read_text() == "made"
    assert [path.name for path in Path("out").iterdir()] == ["part"]
    assert json.loads(Path("one.json").read_text()) == {"seconds": "made"}


@pytest.mark.parametrize(
    "change",
    [
        lambda: Path("code.py").write_text("other"),
        lambda: Path("data/part/file").write_text("other"),
        lambda: Path("data/new").write_text("other"),
        lambda: Path("mine/file").rename("mine/renamed"),
        lambda: Path("more.yaml").write_text("a: 2"),
        lambda: write("params.yaml", {**PARAMS, "other": {"value": 2.5}}),
        lambda: write("params.yaml", {**PARAMS, "section": {**PARAMS["section"], "new": None}}),
    ],
)
def test_what_depends_on_something_else_is_never_adopted(change) -> None:
    kept()
    change()
    assert not adopt(one(), inputs_of(one(), md5))
    assert not Path("out").exists()
    assert not (unrecorded.FOLDER / "one").exists()


def test_what_no_output_depends_on_may_change() -> None:
    kept()
    write("params.yaml", {**PARAMS, "other": {"value": 2, "unused": 4}})
    assert adopt(one(), inputs_of(one(), md5))


def test_outputs_that_were_changed_in_place_are_never_adopted() -> None:
    inputs = kept()
    with (unrecorded.FOLDER / "one/out/part/weights").open("r+") as stream:
        stream.write("M")
    assert not adopt(one(), inputs)


def test_only_what_dvc_recorded_is_dropped() -> None:
    kept()
    drop_recorded({})
    outs = [{"path": out, "md5": md5(unrecorded.FOLDER / "one" / out)} for out in one().outs]
    drop_recorded({"one": {"outs": [outs[0], {**outs[1], "md5": "of an earlier run"}]}})
    assert (unrecorded.FOLDER / "one").exists()
    drop_recorded({"one": {"outs": outs}})
    assert not (unrecorded.FOLDER / "one").exists()


@pytest.mark.parametrize(
    "text", ["", "schema: '2.0'\nstages:\n  a:\n    - b", "{", "a: 1", "stages:"]
)
def test_a_damaged_lock_is_none(text: str) -> None:
    Path("dvc.lock").write_text(text)
    assert read_lock() is None


def test_no_lock_records_nothing() -> None:
    assert read_lock() == {}


def test_a_digest_is_dvcs_own() -> None:
    # As dvc.lock has them.
    assert md5(Path("code.py")) == "1a1dc91c907325c69271ddf0c944bc72"
    tree = json.dumps([{"md5": md5(Path("mine/file")), "relpath": "file"}])
    assert md5(Path("mine")) == hashlib.md5(tree.encode()).hexdigest() + ".dir"
    assert md5(Path("nothing")) is None


def test_what_a_killed_run_left_beside_its_outputs_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[int] = []
    others = [".out.yaml", ".outside.abcd1234", ".git.abcd1234", "out.abcd1234"]
    for name in [".out.abcd12_4", *others]:
        Path(name).mkdir()
    Path(".one.json.abcd1234").touch()

    def main() -> None:
        ran.append(len(list(Path().glob(".o*"))))

    assert stage_runs.run_alone("one", main) == ""
    assert ran == [2]
    assert all(Path(name).exists() for name in others)


def test_so_is_a_folder_whose_files_are_outputs_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["parts"])
    for name in ("made/.deep.abcd1234", ".made.abcd1234", "made/.three.abcd1234"):
        Path(name).mkdir(parents=True)
    assert stage_runs.run_alone("parts", lambda: None) == ""
    left = sorted(str(path) for path in Path().rglob(".*.abcd1234"))
    assert left == ["made/.three.abcd1234"]


def test_a_stage_whose_lock_is_held_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []

    def inner() -> None:
        ran.append("inner")

    def outer() -> None:
        ran.append("outer")
        assert "another run of this stage is at work (process" in stage_runs.run_alone("one", inner)

    assert stage_runs.run_alone("one", outer) == ""
    assert stage_runs.run_alone("one", inner) == ""
    assert ran == ["outer", "inner"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "no space left on a disk (now "),
        (RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0"), "no space"),
        (OSError(30, "Read-only file system", "models/.out.abcd1234"), ": models: its disk is"),
        (PermissionError(13, "Permission denied", "data/a.tsv"), ": data/a.tsv: permission denied"),
    ],
)
def test_a_disk_is_reported_in_one_line(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        try:
            raise error
        except Exception as first:
            raise ValueError("wrapped") from first

    with pytest.raises(SystemExit) as caught:
        run_stage(main)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_records_of_stages_that_are_no_more_refuse_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DVC_STAGE", "one")
    out = {"path": "data", "hash": "md5", "md5": "of-long-ago.dir"}
    write("dvc.lock", {"schema": "2.0", "stages": {"renamed": {"cmd": "run", "outs": [out]}}})
    ran: list[int] = []
    assert stage_runs.run_alone("one", lambda: ran.append(1)) == ""
    assert ran == [1]
    assert read_lock(stage_runs.LOCK_COPY) == read_lock()
