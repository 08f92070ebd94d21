"""kill -9 of a scoring run: the next one asks only for the rest, and ends in the same bytes."""

import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests import ROOT
from tests.engines.asking import BATCH, NUM_PROMPTS
from tests.engines.classifiers import merge, write_adapter

pytestmark = pytest.mark.slow


def command(engine: str, model: Path, work: Path) -> list[str]:
    work.mkdir(exist_ok=True)
    return [sys.executable, "-m", "tests.engines.asking", engine, str(model), str(work)]


def parts(work: Path, engine: str) -> dict[str, int]:
    """Each part that is there, and when it was written."""
    return {path.name: path.stat().st_mtime_ns for path in (work / engine).glob("*.parquet")}


@pytest.fixture
def model(task: str, tiny_model: Path, tmp_path: Path) -> Path:
    """A language model, or a classifier made of it."""
    if task == "answer":
        return tiny_model
    return merge(tiny_model, write_adapter(tiny_model, tmp_path / "adapter"), tmp_path / "merged")


@pytest.mark.parametrize(
    ("engine", "task"),
    [
        ("vllm", "answer"),
        pytest.param("transformers", "answer", marks=pytest.mark.faults),
        pytest.param("vllm", "classify", marks=pytest.mark.faults),
        pytest.param("transformers", "classify", marks=pytest.mark.faults),
        pytest.param("onnx", "classify", marks=pytest.mark.faults),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_a_killed_run_had_answered_is_not_asked_again(
    engine: str, model: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(engine, model, whole), cwd=ROOT, check=True)
    num_batches = NUM_PROMPTS // BATCH
    assert len(parts(whole, engine)) == num_batches

    with subprocess.Popen(command(engine, model, killed), cwd=ROOT) as run:
        gone_by = time.monotonic() + 300
        while len(parts(killed, engine)) < 3:
            assert run.poll() is None
            assert time.monotonic() < gone_by
            time.sleep(0.002)
        run.kill()
    assert not (killed / "answers.parquet").exists()
    before = parts(killed, engine)
    assert 3 <= len(before) < num_batches

    subprocess.run(command(engine, model, killed), cwd=ROOT, check=True)
    after = parts(killed, engine)
    assert len(after) == num_batches
    assert {name: when for name, when in after.items() if name in before} == before
    answers = (killed / "answers.parquet").read_bytes()
    assert answers == (whole / "answers.parquet").read_bytes()
    assert pq.read_metadata(killed / "answers.parquet").num_rows == NUM_PROMPTS

    # Where all is answered, no engine is started.
    (killed / "answers.parquet").unlink()
    again = subprocess.run(
        command(engine, model, killed), cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert (killed / "answers.parquet").read_bytes() == answers
    assert "prompt" not in again.stdout + again.stderr  # no progress of any
