"""kill -9 in every stage, at several moments: the next run ends in the same bytes."""

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.faults.small import copy_without, drafts, outputs
from tests.faults.toy import begin
from tests.processes import children, is_gone, wait_for
from tests.trees import run

pytestmark = [pytest.mark.slow, pytest.mark.faults]

# `check_engine` and `score` are the same for both models.
STAGES = [
    "fetch_model",
    "fetch_mind",
    "preprocess",
    "check_engine@base",
    "train",
    "merge",
    "score@tuned",
    "baselines",
    "evaluate",
    "report",
]


def stage_of(repro: psutil.Popen) -> psutil.Process | None:
    """The process of the stage that a DVC runs."""
    return next(iter(children(repro, "stages.")), None)


def worker_of(repro: psutil.Popen) -> psutil.Process | None:
    """The process that trains, which the stage started."""
    stage = stage_of(repro)
    return next(iter(children(stage, "_worker")), None) if stage else None


def moment(name: str, folder: Path, stage: str) -> Callable[[], bool]:
    """Whether a stage has come so far."""
    return {
        "imports": lambda: True,
        "begins": (folder / f".work/{stage}.lock").exists,
        # The ranker's `prepare` writes a folder there, and moves its files from it.
        "writes": lambda: bool(drafts(folder) or [*folder.glob(".work/prepare/*")]),
    }[name]


KILLS = pytest.mark.parametrize(
    ("killed", "when"),
    [("stage", "begins"), ("stage", "writes"), ("dvc", "imports"), ("dvc", "writes")],
)


def kill(folder: Path, stage: str, killed: str, when: str, log: str = "log") -> None:
    """Run a stage of the pipeline in `folder` and kill it, or DVC, once it has come so far."""
    come = moment(when, folder, stage)
    with begin(folder, "dvc", "repro", "-s", stage, log=log) as repro:
        dvc = psutil.Process(repro.pid)
        wait_for(lambda: stage_of(dvc) is not None or repro.poll() is not None)
        process = stage_of(dvc)
        assert process is not None
        tree_of_it = process
        wait_for(lambda: come() or is_gone(tree_of_it), 120)
        workers = [] if is_gone(process) else process.children(recursive=True)
        (process if killed == "stage" else repro).kill()
        wait_for(lambda: is_gone(tree_of_it, *workers))


@pytest.mark.parametrize("stage", STAGES)
@KILLS
def test_the_run_behind_a_kill_ends_in_the_same_bytes(
    killed: str, when: str, stage: str, finished_small: Path, tmp_path: Path
) -> None:
    tree = copy_without(finished_small, tmp_path / "tree", stage)
    kill(tree, stage, killed, when)
    run(tree, "dvc", "repro", "-s", stage)
    assert outputs(tree, stage) == outputs(finished_small, stage)
    assert drafts(tree) == []


@pytest.mark.parametrize("when", ["begins", "checkpoint-4", "adapter_model.safetensors"])
def test_a_training_whose_worker_is_killed_ends_in_the_same_adapter(
    when: str, finished_small: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    copy_without(finished_small, tree, "train")
    output = tree / ".work/train/output"
    with begin(tree, "dvc", "repro", "-s", "train") as repro:
        dvc = psutil.Process(repro.pid)
        wait_for(lambda: worker_of(dvc) is not None, 120)
        worker = worker_of(dvc)
        assert worker is not None
        wait_for(lambda: when == "begins" or (output / when).exists(), 120)
        worker.kill()
        assert repro.wait(60) != 0
    said = (tmp_path / "log").read_text()
    assert "train: training ran out of memory" in said  # as the kernel kills for want of it
    run(tree, "dvc", "repro", "-s", "train")
    assert outputs(tree, "train") == outputs(finished_small, "train")
    assert drafts(tree) == []
