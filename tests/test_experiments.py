"""Experiments in a copy of the project: from DVC's queue, with `--temp`, with data of one's own."""

import json
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.trees import ENV, commit, copy_tree, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, synthetic: Path) -> Path:
    """The default run up to `preprocess`, committed, with MIND files and predictions to ignore."""
    tree = tmp_path_factory.mktemp("experiments") / "newsrec"
    copy_tree(tree)
    commit(tree)
    run(tree, "dvc", "repro", "preprocess")
    run(tree, "git", "add", "-A")
    run(tree, "git", "commit", "-qm", "first run")
    shutil.copytree(synthetic, tree / "data/local", dirs_exist_ok=True)
    assert run(tree, "git", "status", "--porcelain") == ""
    return tree


def figures(tree: Path, revision: str, name: str) -> dict:
    return json.loads(run(tree, "git", "show", f"{revision}:metrics/{name}.json"))


def refused(tree: Path, *words: str) -> str:
    """What a run says that fails."""
    finished = subprocess.run(
        ["dvc", "exp", "run", *words],
        cwd=tree,
        env=ENV,
        text=True,
        capture_output=True,
        check=False,
    )
    assert finished.returncode != 0, finished.stdout
    return finished.stdout + finished.stderr


def experiment(tree: Path, name: str) -> str:
    refs = run(tree, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return next(ref for ref in refs if ref.endswith(f"/{name}"))


def test_a_sweep_of_two_values_runs_from_the_queue(tree: Path) -> None:
    run(
        tree, "dvc", "exp", "run", "--queue", "-S", "preprocess.positive_rate=0.3,0.4", "preprocess"
    )
    run(tree, "dvc", "queue", "start")
    give_up = time.monotonic() + 300
    while re.search("Queued|Running", status := run(tree, "dvc", "queue", "status")):
        assert time.monotonic() < give_up, status
        time.sleep(1)
    # One row a task: number, name, time, state.
    found = {}
    for line in status.splitlines():
        if "Success" in line:
            ref = experiment(tree, line.split()[1])
            rate = yaml.safe_load(run(tree, "git", "show", f"{ref}:params.yaml"))["preprocess"]
            counts = figures(tree, ref, "preprocess")["train"]
            found[rate["positive_rate"]] = counts
    assert set(found) == {0.3, 0.4}
    assert found[0.3] != found[0.4]


def test_data_of_the_users_own_are_copied_as_the_refusal_says(tree: Path) -> None:
    words = ("--temp", "-S", "data=local", "--name")
    message = refused(tree, *words, "without", "fetch_mind")
    assert "fetch_mind: data/local: this run is in a copy" in message
    options = re.search(r"run it again with (.*?), with an absolute fetch_mind\.path", message)
    assert options is not None
    run(tree, "dvc", "exp", "run", *words, "copied", *shlex.split(options[1]), "fetch_mind")
    path = ("-S", f"fetch_mind.path={tree / 'data/local'}")
    run(tree, "dvc", "exp", "run", *words, "absolute", *path, "fetch_mind")
    copied, absolute = (
        figures(tree, experiment(tree, name), "fetch_mind") for name in ("copied", "absolute")
    )
    assert copied == absolute
    assert copied["source"] == "local"


def test_predictions_of_the_users_own_are_not_left_out(tree: Path) -> None:
    (tree / "data/outside/theirs.txt").write_text("1 [1]\n")
    words = ("--temp", "-S", "preprocess.positive_rate=0.45", "--name")
    message = refused(tree, *words, "without", "preprocess")
    assert "preprocess: data/outside: this run is in a copy" in message
    assert "-C data/outside/theirs.txt" in message
    run(tree, "dvc", "exp", "run", *words, "with", "-C", "data/outside/theirs.txt", "preprocess")
