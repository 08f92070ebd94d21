"""A disk that is full or cannot be written: one line, nothing half-written, later the same."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from newsrec.params.compose import compose
from tests.faults.small import copy_without, drafts, fill, outputs, small_disk
from tests.faults.toy import attempt, contents, refusal
from tests.trees import commit, copy_tree, run

pytestmark = pytest.mark.slow
MEGABYTES = 40
FULL = "no space left on a disk (now"
# What DVC says of it; the second where it tries to link or copy.
OF_DVC = ("No space left on device", "No possible cache link types")


def end_the_shortage(tree: Path, filler: Path) -> None:
    """Free the disk, and do what the doctor says where DVC's own files are damaged."""
    filler.unlink()
    found = run_doctor(tree)
    for line in found.splitlines():
        if line.startswith("problem: "):
            cure = line.split("; ")[1].removeprefix("if no DVC command is running: ")
            run(tree, *cure.split(";")[0].split())


def run_doctor(tree: Path) -> str:
    code = "from newsrec.preflight.dvc_files import damaged_files as d; "
    code += "[print('problem: ' + '; '.join(one[2:])) for one in d()]"
    return run(tree, "python", "-c", code)


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_space(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", MEGABYTES) as disk:
        tree = disk / "tree"
        copy_tree(tree)
        compose(tree / "params.yaml", ["fetch_mind.synthetic.num_users=60"])
        commit(tree)
        run(tree, "dvc", "repro", "fetch_mind")
        wanted = outputs(tree, "fetch_mind")
        for made in (".dvc/cache", ".work", "data/raw", "dvc.lock"):
            path = tree / made
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        filler = fill(disk, 60)
        said = refusal(tree, "dvc", "repro", "fetch_mind")
        assert f"fetch_mind: {FULL}" in said
        assert f"0.0 MB free in {tree}); free some space and run the same again" in said
        assert "Traceback" not in said
        assert drafts(tree) == []
        assert not (tree / "data/raw").exists()
        filler.unlink()
        run(tree, "dvc", "repro", "fetch_mind")
        assert outputs(tree, "fetch_mind") == wanted


@pytest.mark.faults
@pytest.mark.parametrize("free", [60, 400])
@pytest.mark.parametrize(
    "stage", ["fetch_model", "fetch_mind", "preprocess", "train", "merge", "score@base"]
)
def test_a_full_disk_in_a_stage_leaves_nothing_and_loses_nothing(
    stage: str, free: int, finished_small: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", MEGABYTES) as disk:
        tree = disk / "tree"
        copy_without(finished_small, tree, stage)
        filler = fill(disk, free)
        finished = attempt(tree, "dvc", "repro", "-s", stage)
        if finished.returncode != 0:
            said = finished.stdout + finished.stderr
            assert any(sign in said for sign in (f"{stage.partition('@')[0]}: {FULL}", *OF_DVC))
            # The trainer's own output is shown as it comes, and ends in one.
            assert stage == "train" or "Traceback" not in said
            assert drafts(tree) == []
        end_the_shortage(tree, filler)
        run(tree, "dvc", "repro", "-s", stage)
        assert outputs(tree, stage) == outputs(finished_small, stage)
        assert drafts(tree) == []


@contextmanager
def mounted_read_only(folder: Path) -> Iterator[str]:
    run(folder, "mount", "--bind", folder, folder)
    run(folder, "mount", "-o", "remount,bind,ro", folder)
    yield "its disk is mounted read-only"
    run(folder.parent, "umount", "--lazy", folder)


@contextmanager
def immutable(folder: Path) -> Iterator[str]:
    run(folder, "chattr", "+i", folder)
    yield "nobody may change it; chattr -i"
    run(folder, "chattr", "-i", folder)


@contextmanager
def without_the_right(folder: Path) -> Iterator[str]:
    folder.chmod(0o555)
    yield "permission denied; let this user read and write it"
    folder.chmod(0o755)


# root without the right to pass over permissions
AS_OTHERS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@pytest.mark.parametrize(
    "closed",
    [
        mounted_read_only,
        pytest.param(immutable, marks=pytest.mark.faults),
        pytest.param(without_the_right, marks=pytest.mark.faults),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(
    closed: Callable[[Path], AbstractContextManager[str]], toy: Path, wanted: dict[str, bytes]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a folder read-only")
    (toy / "models").mkdir()
    with closed(toy / "models") as words:
        said = refusal(toy, *AS_OTHERS, "dvc", "repro")
    assert f"first: models: {words}" in said
    assert "Traceback" not in said
    run(toy, "dvc", "repro")
    assert contents(toy) == wanted
