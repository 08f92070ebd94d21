"""A person's mistakes: one clear line, exit code 2, and no output left behind."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from newsrec.errors import UserError
from stages import fetch_mind, fetch_model, preprocess
from tests import ROOT
from tests.compositions import write_params


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run stages in."""
    monkeypatch.chdir(tmp_path)
    # What the machine lacks: tests/preflight.
    monkeypatch.setattr(fetch_model, "check_machine", lambda *_: None)
    # What vLLM reads: tests/engines/test_vllm_reading.py.
    monkeypatch.setattr(fetch_model, "check_same_reading", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["fetch_model", "newsrec.news.corpus"])
    return tmp_path


def reported(main: Callable[[], None]) -> str:
    with pytest.raises(UserError) as caught:
        main()
    return str(caught.value)


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def bad_time(data: bytes) -> bytes:
    return data.replace(b"/2019 ", b"/19 ", 1)


def no_label(data: bytes) -> bytes:
    return data.replace(b"-1", b"-7", 1)


def wrong_columns(data: bytes) -> bytes:
    return data.replace(b"\t", b" ", 1)


def duplicate(data: bytes) -> bytes:
    return data + data[: data.index(b"\n") + 1]


def windows(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def not_utf8(data: bytes) -> bytes:
    return data.replace(b"\t[]", b"\xff\t[]", 1)


def empty(_: bytes) -> bytes:
    return b""


@pytest.mark.slow  # a second and more
@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("val/behaviors.tsv", bad_time, "line 1: time"),
        ("val/behaviors.tsv", no_label, "expected a news id with label -0 or -1"),
        ("test/behaviors.tsv", wrong_columns, "line 1: found 4 tab-separated columns"),
        ("train/news.tsv", duplicate, "is already in line 1; remove one"),
        ("train/behaviors.tsv", windows, "line 1: ends in \\r\\n (Windows)"),
        ("test/news.tsv", not_utf8, "is not UTF-8"),
        ("val/behaviors.tsv", empty, "empty, expected at least one row"),
        ("test/news.tsv", None, "no such file"),
    ],
)
def test_a_fault_in_local_files_leaves_no_output(
    file: str, change: Callable[[bytes], bytes] | None, words: str, raw: Path, workplace: Path
) -> None:
    shutil.copytree(raw, workplace / "mine")
    if change is None:
        (workplace / "mine" / file).unlink()
    else:
        edit(workplace / "mine" / file, change)
    write_params(workplace / "params.yaml", "data=local", "fetch_mind.path=mine")
    before = {path: path.read_bytes() for path in (workplace / "mine").rglob("*.tsv")}
    message = reported(fetch_mind.main)
    assert str(Path("mine") / file) in message
    assert words in message
    assert sorted(path.name for path in workplace.iterdir()) == ["data", "mine", "params.yaml"]
    assert list((workplace / "data").iterdir()) == []
    assert before == {path: path.read_bytes() for path in (workplace / "mine").rglob("*.tsv")}


def test_a_local_folder_goes_through_and_stays_as_it_was(raw: Path, workplace: Path) -> None:
    write_params(workplace / "params.yaml", "data=local", f"fetch_mind.path={raw}")
    fetch_mind.main()
    for path in raw.rglob("*.tsv"):
        assert (workplace / "data/raw" / path.relative_to(raw)).read_bytes() == path.read_bytes()


def test_a_folder_that_is_not_there_is_reported(workplace: Path) -> None:
    write_params(workplace / "params.yaml", "data=local", "fetch_mind.path=nowhere")
    assert "nowhere: no such folder" in reported(fetch_mind.main)
    write_params(workplace / "params.yaml", "model=local", "fetch_model.path=nowhere")
    assert "nowhere: no such folder" in reported(fetch_model.main)
    assert not list((workplace / "models").iterdir())


def test_a_local_model_is_taken_without_its_pickles(tiny_model: Path, workplace: Path) -> None:
    shutil.copytree(tiny_model, workplace / "mine")
    (workplace / "mine/training_args.bin").write_bytes(b"pickle")
    write_params(workplace / "params.yaml", "model=local", "fetch_model.path=mine")
    fetch_model.main()
    names = {path.name for path in (workplace / "models/base").iterdir()}
    assert names == {path.name for path in tiny_model.iterdir()}


@pytest.mark.slow
def test_a_misspelled_template_is_answered_with_the_nearest_one(
    tiny_model: Path, workplace: Path
) -> None:
    shutil.copytree(tiny_model, workplace / "mine")
    choices = ["model=local", "fetch_model.path=mine", "model.template=qwen_3"]
    write_params(workplace / "params.yaml", *choices)
    assert "did you mean 'qwen3'?" in reported(fetch_model.main)
    assert not list((workplace / "models").iterdir())


def test_a_model_of_the_other_version_of_transformers_is_copied_in_this_ones_form(
    tiny_model: Path, workplace: Path
) -> None:
    shutil.copytree(tiny_model, workplace / "mine")
    path = workplace / "mine/config.json"
    config = json.loads(path.read_text())
    del config["rope_theta"], config["rope_scaling"]
    rope = {"rope_theta": 1_000_000.0, "rope_type": "default"}
    path.write_text(json.dumps(config | {"rope_parameters": rope}))
    before = path.read_bytes()
    write_params(workplace / "params.yaml", "model=local", "fetch_model.path=mine")
    fetch_model.main()
    copied = json.loads((workplace / "models/base/config.json").read_text())
    assert (copied["rope_theta"], "rope_parameters" in copied) == (1_000_000.0, False)
    assert path.read_bytes() == before


def test_a_model_cut_short_is_reported_and_not_taken(tiny_model: Path, workplace: Path) -> None:
    shutil.copytree(tiny_model, workplace / "mine")
    edit(workplace / "mine/model.safetensors", lambda data: data[: len(data) // 2])
    write_params(workplace / "params.yaml", "model=local", "fetch_model.path=mine")
    message = reported(fetch_model.main)
    assert "mine/model.safetensors: broken safetensors file" in message
    assert not list((workplace / "models").iterdir())


@pytest.mark.slow
def test_the_published_recipe_warns_that_it_leaks(
    raw: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_params(workplace / "params.yaml", "prompt.feedback=same_impression")
    shutil.copytree(raw, workplace / "data/raw")
    (workplace / "metrics").mkdir()
    (workplace / "metrics/fetch_mind.json").write_text('{"protocol": {}}')
    preprocess.main()
    assert "gives the label away" in capsys.readouterr().err


def test_the_pipeline_keeps_the_data_sets_rows_to_itself() -> None:
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    pushed = {
        out
        for stage in graph.values()
        for out in stage.get("do", stage).get("outs", [])
        if isinstance(out, str)
    }
    assert pushed == {
        "models/adapter",
        "models/checked/${key}.json",
        "models/merged",
        "metrics/timings/score_${key}.json",
        "metrics/timings/train.json",
    }


def test_a_stage_whose_input_is_missing_leaves_nothing(workplace: Path) -> None:
    write_params(workplace / "params.yaml")
    assert "data/raw/train/news.tsv: no such file" in reported(preprocess.main)
    assert not list((workplace / "data").iterdir())


@pytest.mark.slow
def test_at_the_command_line_a_mistake_is_one_line_and_exit_code_2(workplace: Path) -> None:
    write_params(workplace / "params.yaml")
    edit(
        workplace / "params.yaml", lambda data: data.replace(b"  source: synth", b"  sauce: synth")
    )
    finished = subprocess.run(
        [sys.executable, "-m", "stages.preprocess"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert finished.stderr == (
        "preprocess: params.yaml: key 'fetch_mind.sauce': a key of this section is 'sauce'; "
        "expected one of: files, path, repo, revision, seed, source, split, synthetic; did you "
        "mean 'source'?\n"
    )
