"""Pre-training in several processes, each with a part of every batch."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from newsrec.chat.examples import Example
from newsrec.errors import UserError
from newsrec.models.batches import Batches
from newsrec.models.tiny import build_tiny

TEXTS: list[Example] = [
    ([], f"The {animal} {verb} the {thing}{end}")
    for animal in ("cat", "dog", "cow", "hen")
    for verb in ("sees", "likes", "follows")
    for thing in ("ball", "bird", "farmer", "tree")
    for end in (".", " and the house.")
]


def build(folder: Path, processes: int, steps: int = 4) -> tuple[float, bytes]:
    folder.mkdir()
    loss = build_tiny(
        folder,
        TEXTS,
        vocab_size=400,
        hidden_size=32,
        num_layers=1,
        max_length=128,
        steps=steps,
        batch_size=9,
        lr=1e-3,
        seed=1,
        packing=True,
        processes=processes,
    )
    return loss, (folder / "model.safetensors").read_bytes()


def test_several_processes_learn_what_one_does(tmp_path: Path) -> None:
    alone, _ = build(tmp_path / "one", 1)
    loss, weights = build(tmp_path / "two", 2)
    assert loss == pytest.approx(alone, abs=1e-4)
    assert build(tmp_path / "three", 3)[0] == pytest.approx(alone, abs=1e-4)
    assert build(tmp_path / "again", 2) == (loss, weights)


def test_a_process_that_ends_early_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backward(batches: Any, model: Any, step: int, part: int) -> float:
        if step == 2 and part == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(batches, model, step, part)

    whole = Batches.backward
    monkeypatch.setattr(Batches, "backward", backward)
    with pytest.raises(UserError, match="process 2 of 2 ended with exit code -9"):
        build(tmp_path / "killed", 2)


@pytest.mark.slow  # a process that imports PyTorch
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.models.test_pretraining import build; "
        "build(Path(sys.argv[1]), 3, steps=100_000)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "built")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "pre-training" in line:
                break
        children = psutil.Process(process.pid).children()
        process.kill()
    assert len(children) == 2
    assert not psutil.wait_procs(children, timeout=60)[1]
