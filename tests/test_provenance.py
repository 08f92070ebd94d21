"""What made a result is recorded as it is, and names no machine, user or folder."""

import getpass
import json
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from newsrec.preflight import machine
from newsrec.preflight.machine import Memory
from newsrec.provenance import begin_scoring, provenance, uncommitted
from tests.trees import ENV


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline in a folder of a committed repository, which is the folder of the test."""
    folder = tmp_path / "pipelines/second"
    for name in ("newsrec/metrics/ranking.py", "params.yaml", "dvc.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    for name in ("metrics/train.json", "plots/loss.tsv", "dvc.lock", "dvc.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1\n")
    (tmp_path / ".gitignore").write_text("ignored\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, env=ENV, check=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(machine, "gpus", lambda: [Memory("NVIDIA L4", 1, 1)])
    return tmp_path


def test_the_commit_the_versions_and_the_processor_are_recorded(project: Path) -> None:
    found = provenance()
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    assert (found["commit"], found["uncommitted_changes"]) == (head, False)
    assert found["packages"]["torch"] == version("torch")
    assert found["gpus"] == ["NVIDIA L4"]
    assert "logical cores" in found["cpu"]
    assert provenance() == found


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("metrics/train.json", False),
        ("metrics/new.json", False),
        ("plots/loss.tsv", False),
        ("dvc.lock", False),
        ("../../dvc.lock", False),
        ("ignored", False),
        ("dvc.yaml", True),
        ("../../params.yaml", True),
        ("../../newsrec/metrics/ranking.py", True),
        ("../../newsrec/new.py", True),
    ],
)
def test_results_of_the_run_are_no_uncommitted_change_and_code_is(
    changed: str, expected: bool, project: Path
) -> None:
    Path(changed).write_text("2\n")
    assert provenance()["uncommitted_changes"] is expected
    assert bool(uncommitted()) is (changed != "ignored")


def test_no_machine_user_or_folder_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    text = json.dumps(provenance())
    for word in (socket.gethostname(), str(project), str(Path.home()), "hf_secret"):
        assert word not in text
    assert getpass.getuser() not in text.replace('"', " ").split()


def test_without_a_repository_or_without_git_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    unknown: dict[str, Any] = {"commit": None, "uncommitted_changes": None}
    assert provenance().items() >= unknown.items()
    monkeypatch.setenv("PATH", "")
    assert provenance().items() >= unknown.items()


def test_vllm_is_asked_in_its_own_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "packages", lambda python: {"vllm": f"0.32 of {python.name}"})
    assert provenance(Path("other/python"))["packages"]["vllm"] == "0.32 of python"
    assert "vllm" not in provenance()["packages"]


@pytest.mark.parametrize(
    ("engine", "python", "left_out"),
    [
        ("vllm", Path("vllm/python"), True),
        ("transformers", None, False),
        ("openai-api", None, False),
    ],
)
def test_a_scoring_records_vllm_and_leaves_out_pytorch_where_vllm_computes(
    engine: str,
    python: Path | None,
    left_out: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    monkeypatch.setattr("newsrec.engines.vllm_engine.vllm_python", lambda: Path("vllm/python"))
    monkeypatch.setattr("newsrec.provenance.provenance", lambda given: {"vllm": given})
    monkeypatch.setattr("newsrec.provenance.leave_out_torch", lambda: called.append("left out"))
    assert begin_scoring(engine) == {"vllm": python}
    assert bool(called) == left_out
