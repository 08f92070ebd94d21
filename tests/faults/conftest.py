"""A run that is finished, of which each test damages a copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.faults.small import make_small, make_small_safety
from tests.faults.toy import contents, make_toy
from tests.trees import run


@pytest.fixture(scope="session")
def finished_toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline of `toy`, run to its end and committed."""
    tree = tmp_path_factory.mktemp("toy") / "tree"
    make_toy(tree)
    run(tree, "dvc", "repro")
    run(tree, "git", "add", "-A")
    run(tree, "git", "commit", "-qm", "first run")
    return tree


@pytest.fixture
def toy(finished_toy: Path, tmp_path: Path) -> Path:
    """A copy of it in which nothing has run: neither outputs nor cache."""
    tree = tmp_path / "tree"
    shutil.copytree(finished_toy, tree, symlinks=True)
    for made in ("models", "reports", ".dvc/cache", ".dvc/tmp", ".work"):
        shutil.rmtree(tree / made)
    (tree / "dvc.lock").unlink()
    return tree


@pytest.fixture
def wanted(finished_toy: Path) -> dict[str, bytes]:
    """The outputs of a run that nothing happened to."""
    return contents(finished_toy)


@pytest.fixture(scope="session")
def finished_small(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The pipeline of `small`, run to its end."""
    return made_once("small", make_small, tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def finished_safety(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A tree in which the safety pipeline of `small` has run to its end."""
    return made_once("safety", make_small_safety, tmp_path_factory, worker_id)


def made_once(
    name: str,
    make: Callable[[Path], None],
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> Path:
    """A tree that is made once for all processes of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    shared = (own if worker_id == "master" else own.parent) / name
    with FileLock(f"{shared}.lock"):
        if not (shared / "whole").exists():
            shutil.rmtree(shared, ignore_errors=True)
            make(shared / "tree")
            (shared / "whole").touch()
    return shared / "tree"
