"""kill -9 in every stage of the safety pipeline, before any of its files appears."""

from pathlib import Path

import psutil
import pytest

from tests.faults.small import copy_without, drafts, outputs
from tests.faults.test_stages import stage_of
from tests.faults.toy import begin
from tests.processes import is_gone, wait_for
from tests.trees import ENV, run

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PIPELINE = "pipelines/safety"
# What trains is in test_stages.py.
STAGES = [
    "extract",
    "prepare",
    "merge",
    "score@base",
    "score@tuned",
    "baselines",
    "audit",
    "evaluate",
    "report",
]


def rename(which: str, num: int) -> int:
    """The number of the first, the middle or the last of `num` renames."""
    return {"first": 1, "middle": num // 2 + 1, "last": num}[which]


def kill(tree: Path, stage: str, killed: str, env: dict[str, str], come: Path | None) -> None:
    """Run a stage by DVC, and kill one of them as soon as `come` exists, or the stage does.

    What they started must end too.
    """
    folder = tree / PIPELINE
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setitem(ENV, name, value)
        # Not into the repository, of which the report says whether it has files beside.
        repro = begin(folder, "dvc", "repro", "-s", stage, log="../../log")
    with repro:
        dvc = psutil.Process(repro.pid)
        wait_for(lambda: stage_of(dvc) is not None or repro.poll() is not None)
        process = stage_of(dvc)
        assert process is not None
        wait_for(lambda: come is None or come.exists() or repro.poll() is not None, 120)
        assert repro.poll() is None, (tree.parent / "log").read_text()
        started = process.children(recursive=True)
        (process if killed == "stage" else repro).kill()
        wait_for(lambda: is_gone(process, *started))
    if come is not None and come.name == "stopped":
        come.unlink()


def check_run_again(tree: Path, finished: Path, stage: str) -> None:
    """The next run ends in the bytes of one that nothing happened to, and leaves nothing else."""
    folder, wanted = tree / PIPELINE, finished / PIPELINE
    run(folder, "dvc", "repro", "-s", stage)
    assert outputs(folder, stage) == outputs(wanted, stage)
    assert drafts(folder) == []
    left = {path.name for path in (folder / ".work").iterdir()}
    assert left <= {f"{stage}.lock", f"{stage.replace('@', '_')}.lock", "dvc.lock", "unrecorded"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("killed", "which"), [("stage", "first"), ("dvc", "middle"), ("stage", "last")]
)
def test_the_run_behind_a_kill_before_a_rename_ends_in_the_same_bytes(
    killed: str, which: str, stage: str, finished_safety: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    copy_without(finished_safety, tree, stage, PIPELINE)
    num = int((finished_safety.parent / "renames" / stage).read_text())
    at = {"STOP_BEFORE": str(rename(which, num))}
    kill(tree, stage, killed, at, tree / PIPELINE / "stopped")
    check_run_again(tree, finished_safety, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_the_run_behind_a_kill_of_dvc_at_the_start_ends_in_the_same_bytes(
    stage: str, finished_safety: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    copy_without(finished_safety, tree, stage, PIPELINE)
    kill(tree, stage, "dvc", {}, None)
    check_run_again(tree, finished_safety, stage)


@pytest.mark.parametrize("killed", ["stage", "dvc"])
def test_a_kill_while_the_database_serves_ends_it_too(
    killed: str, finished_safety: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    copy_without(finished_safety, tree, "extract", PIPELINE)
    kill(tree, "extract", killed, {}, tree / PIPELINE / ".work/extract/data")
    check_run_again(tree, finished_safety, "extract")
