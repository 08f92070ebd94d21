"""The doctor as a person calls it, and as the long stages do."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from newsrec.cli import main
from newsrec.errors import UserError
from newsrec.news.needs import data_needs
from newsrec.news.params import Params
from newsrec.params.load import load_params
from newsrec.preflight import doctor
from newsrec.training.advice import LIGHTER
from tests import ROOT
from tests.compositions import write_params
from tests.preflight.conftest import GB, Machine, gpu

pytestmark = pytest.mark.slow


def test_the_default_runs_on_this_machine() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "newsrec.cli", "doctor"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[0].split() == ["what", "needed", "found", "verdict"]
    assert finished.stdout.splitlines()[-1].startswith("doctor: ")


def test_a_real_model_on_a_machine_without_a_gpu_is_reported_before_it_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = "http://127.0.0.1:9"  # a port that nothing listens on
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["newsrec", "doctor"])
    params()
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    found = capsys.readouterr()
    assert "8.2 billion parameters take days on the CPU" in found.out
    assert f"problem: hub of the model: no answer (ConnectionError), an answer from {closed}" in (
        found.out
    )
    assert "problem: hub of the data: no answer" in found.out
    assert re.match(r"newsrec: \d+ of \d+ checks found a problem, see above", found.err)
    assert found.err.count("\n") == 1


def ended() -> object:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def params(*overrides: str) -> Params:
    path = Path("params.yaml")
    write_params(path, "model=qwen3-8b", "data=mind-small", *overrides)
    return load_params(Params, path)


def check(stage: doctor.Stage, *overrides: str) -> None:
    doctor.check_machine(params(*overrides), stage)


@pytest.mark.parametrize("stage", ["fetch_model", "train", "score"])
def test_a_stage_is_silent_where_all_is_well(
    stage: doctor.Stage, plenty: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    check(stage)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("method", ["lora", "qlora", "full", "freeze", "p-tuning-v2", "adapter"])
@pytest.mark.parametrize("model", ["tiny", "qwen3-0.6b"])
def test_every_method_is_examined(model: str, method: str, plenty: Machine) -> None:
    check("fetch_model", f"model={model}", f"train={method}")


def test_a_warning_is_printed_and_the_stage_goes_on(
    plenty: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    check("train", "train=full")
    assert re.fullmatch(
        r"train: warning: GPU memory to train \(full\): 24\.0 GB free of 24\.0 GB, 1\d\d\.\d GB "
        r"needed; lower, in this order: train\.batch_size .*\n"
        r"(train: warning: RAM .*\n)*",
        capsys.readouterr().err,
    )


def test_only_what_lies_ahead_counts(plenty: Machine) -> None:
    longest = "train.cutoff_len=50000"
    check("score", longest)
    with pytest.raises(UserError, match=r"train\.cutoff_len: 50000, 40960 at most needed"):
        check("train", longest)
    plenty.has(ask_hub=("http://hub", "HTTP 503"))
    check("train")
    with pytest.raises(UserError, match="hub of the model"):
        check("fetch_model")


def test_data_count_where_they_are_still_to_be_fetched(
    plenty: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    found = params()
    plenty.has(ask_hub=("http://hub", "HTTP 503"), stale_stages={"fetch_mind"})
    with pytest.raises(UserError, match=r"1 of \d+ checks found a problem"):
        doctor.report(found, data_needs(found.fetch_mind), {"fetch_mind"})
    assert "problem: hub of the data" in capsys.readouterr().out
    plenty.has(stale_stages={"train"})
    doctor.report(found, data_needs(found.fetch_mind), {"fetch_mind"})
    assert "hub of the data" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "choice", "key"),
    [
        ("config", "local", "fetch_mind.path"),
        ("safety", "files", "extract.path"),
        ("assistant", "files", "prepare.path"),
        ("ranker", "local", "fetch_reviews.path"),
    ],
)
def test_data_of_the_users_that_are_missing_are_reported_in_every_pipeline(
    config: str,
    choice: str,
    key: str,
    plenty: Machine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = ROOT if config == "config" else ROOT / "pipelines" / config
    shutil.copy(folder / "dvc.yaml", ".")
    Path("models/local").mkdir(parents=True)
    setting = "fetch_mind.path" if config == "config" else "data.path"
    # Nothing is left to run: DVC would fail all the same.
    plenty.has(stale_stages=set())
    monkeypatch.setattr(sys, "argv", ["newsrec", "doctor"])
    write_params(Path("params.yaml"), f"data={choice}", f"{setting}=own", config=config)
    assert ended() == 2
    assert f"problem: {key}: own: not found; make it, or correct {key}\n" in capsys.readouterr().out
    Path("own").touch()
    assert ended() == 0
    assert "no problems found" in capsys.readouterr().out


def test_a_judge_without_a_server_is_reported_before_it_is_asked(
    plenty: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["newsrec", "doctor"])
    monkeypatch.delenv("NEWSREC_API_URL", raising=False)
    write_params(Path("params.yaml"), config="assistant")
    plenty.has(stale_stages={"judge", "evaluate"})
    assert ended() == 0
    assert "judge" not in capsys.readouterr().out
    write_params(Path("params.yaml"), "judge.model=a-judge", config="assistant")
    assert ended() == 2
    assert "problem: judge.model: NEWSREC_API_URL is not set" in capsys.readouterr().out
    plenty.has(stale_stages={"report"})  # it was asked
    assert ended() == 0
    plenty.has(stale_stages={"judge"})
    monkeypatch.setenv("NEWSREC_API_URL", "http://127.0.0.1:1/v1")
    assert ended() == 0
    assert "no problems found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("facts", "overrides", "words"),
    [
        ({"gpus": [gpu(12)]}, [], "the weights alone take 16.4 GB"),
        ({"gpus": []}, ["train.precision=bf16"], "use a GPU and train.precision=auto"),
        ({"gpus": []}, [], "make VLLM=cpu env"),
        ({"free_disk": 50 * GB}, [], "or avoid DVC's copies"),
        ({"packages": {}}, [], "vllm: missing in"),
        ({"packages": {}}, [], "peft: missing in"),
    ],
)
def test_what_cannot_work_stops_the_first_stage(
    facts: dict[str, object], overrides: list[str], words: str, plenty: Machine
) -> None:
    plenty.has(**facts)
    with pytest.raises(UserError) as caught:
        check("fetch_model", *overrides)
    assert words in str(caught.value)


def test_a_smaller_precision_of_the_base_is_what_qlora_is_for(
    plenty: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    plenty.has(gpus=[gpu(12)])
    transformers = ["engine=transformers", "score.dtype=bfloat16"]
    with pytest.raises(UserError, match="GPU memory to train"):
        check("train", *transformers)
    with pytest.raises(UserError) as caught:
        check("train", "train=qlora", *transformers)
    assert "to train" not in str(caught.value)
    assert "GPU memory to score" in str(caught.value)
    check("train", "model=qwen3-4b", "train=qlora", "score.batch_size=1", *transformers)
    assert capsys.readouterr().err == ""


def test_a_local_model_is_measured_by_its_config(tiny_model: Path, plenty: Machine) -> None:
    local = ["model=local", f"fetch_model.path={tiny_model}"]
    with pytest.raises(UserError, match=r"train\.cutoff_len: 1024, 512 at most needed"):
        check("fetch_model", *local)
    check("fetch_model", *local, "train.cutoff_len=500", "score.max_model_len=512")
    with pytest.raises(UserError, match=r"nowhere/config\.json: not found"):
        check("fetch_model", "model=local", "fetch_model.path=nowhere")


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
    stale: set[str] | None,
    expected: set[str],
    plenty: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[set[str]] = []
    plenty.has(stale_stages=stale)
    monkeypatch.setattr(doctor, "examine", lambda _, steps, __: asked.append(steps) or [])
    found = params()
    doctor.report(found, data_needs(found.fetch_mind), {"fetch_mind"})
    assert asked == ([expected] if expected else [])


def test_every_method_of_conf_has_its_remedy() -> None:
    methods = {
        yaml.safe_load(path.read_text(encoding="utf-8"))["train"]["method"]
        for path in (ROOT / "conf/train").glob("*.yaml")
    }
    assert set(LIGHTER) == methods | {"lora-classifier"}  # which train=lora is for classifiers


def test_the_doctor_runs_before_the_pipeline() -> None:
    make = shutil.which("make")
    assert make is not None
    planned = subprocess.run(
        [make, "-n", "repro"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert -1 < planned.find("newsrec doctor") < planned.find("dvc repro")
