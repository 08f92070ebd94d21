"""The lock check finds in a clone without data whatever the last run did not record."""

import shutil
import subprocess
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from dvc.repo import Repo

from newsrec.errors import UserError
from newsrec.lock_check import main
from newsrec.running.stage import report_user_error
from tests.trees import ENV

pytestmark = pytest.mark.slow  # each is a second or so, and there are many

FILES = {
    ".gitignore": "/data/rows.txt\n/data/parts\n/models\n/data/local/*\n!/data/local/README.md\n"
    "/submission/answers.zip\n",
    "params.yaml": "prepare: {rows: 3}\ntrain: {lr: 0.1}\n",
    "code/prepare.py": "prepare\n",
    "code/train.py": "train\n",
    "data/local/README.md": "Files of your own\n",
    "data/rows.txt": "1\n2\n3\n",
    "data/parts/a.txt": "a\n",
    "models/adapter/weights": "0.1\n",
    "metrics/prepare.json": '{"rows": 3}\n',
    "metrics/train.json": '{"loss": 0.5}\n',
    "plots/loss.tsv": "step\tloss\n1\t0.5\n",
    "dvc.yaml": """
stages:
  prepare:
    cmd: python code/prepare.py
    deps: [code/prepare.py, data/local]
    params: [prepare]
    outs:
      - data/rows.txt: {push: false}
      - data/parts
    metrics: [metrics/prepare.json: {cache: false}]
  train:
    cmd: python code/train.py
    deps: [code/train.py, data/rows.txt, metrics/prepare.json]
    params: [train.lr]
    outs: [models/adapter]
    metrics: [metrics/train.json: {cache: false}]
    plots: [plots/loss.tsv: {cache: false}]
""",
    "submission/answers.zip": "answers\n",
    "submission/dvc.yaml": """
stages:
  submission:
    cmd: cd .. && python code/train.py
    deps: [../code/train.py, ../models/adapter]
    params: [../params.yaml: [train]]
    outs: [answers.zip: {cache: false}]
""",
    "pipelines/second/metrics/second.json": '{"f1": 0.9}\n',
    "pipelines/second/dvc.yaml": """
stages:
  second:
    cmd: python ../../code/train.py
    deps: [../../code/train.py]
    metrics: [metrics/second.json: {cache: false}]
""",
}
PROJECTS = (".", "submission", "pipelines/second")


def write(folder: Path, **changes: str) -> None:
    """Write files, by their paths in `folder`."""
    for name, text in changes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def record(folder: Path, *targets: str) -> None:
    """Write dvc.lock as a run leaves it that made the files which are there."""
    with chdir(folder), Repo() as repo:  # DVC looks for the run's files from the current folder
        for target in targets or [None]:
            repo.commit(target, force=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three projects after a run of each, with their data."""
    root = tmp_path_factory.mktemp("recorded")
    write(root, **FILES)
    subprocess.run(["git", "init", "-q"], cwd=root, env=ENV, check=True)
    for name in PROJECTS:
        Repo.init(str(root / name), subdir=name != ".").close()
        record(root / name)
    return root


@pytest.fixture
def tree(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, data included; the current folder."""
    shutil.copytree(recorded, tmp_path / "tree")
    monkeypatch.chdir(tmp_path / "tree")
    return tmp_path / "tree"


def without_data(tree: Path) -> None:
    """Remove what a clone does not have."""
    for name in (".dvc/cache", "models", "data/parts"):
        shutil.rmtree(tree / name, ignore_errors=True)
    for name in ("data/rows.txt", "submission/answers.zip"):
        (tree / name).unlink()


@pytest.fixture
def clone(tree: Path) -> Path:
    """The same without data and cache."""
    without_data(tree)
    return tree


def found(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the check prints of a repository that is not current."""
    with pytest.raises(UserError, match="run dvc repro"):
        main()
    return capsys.readouterr().out.splitlines()


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("place", ["tree", "clone"])
def test_what_was_run_is_current_with_the_data_and_without(
    place: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    request.getfixturevalue(place)
    main()
    shown = "2 stages in ., 1 stages in pipelines/second, 1 stages in submission"
    assert capsys.readouterr().out == f"lock-check: current: {shown}\n"


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        pytest.param(
            lambda tree: replace(tree / "params.yaml", "0.1", "0.2"),
            [
                "train: differs from dvc.lock: params.yaml: train.lr",
                "submission/dvc.yaml:submission: differs from dvc.lock: params.yaml: train",
            ],
            id="a changed parameter",
        ),
        pytest.param(
            lambda tree: write(tree, **{"code/prepare.py": "other\n"}),
            ["prepare: its dependency code/prepare.py differs from dvc.lock"],
            id="a changed code file",
        ),
        pytest.param(
            lambda tree: (tree / "code/train.py").unlink(),
            [
                "train: its dependency code/train.py is missing",
                "pipelines/second/dvc.yaml:second: its dependency code/train.py is missing",
                "submission/dvc.yaml:submission: its dependency code/train.py is missing",
            ],
            id="a deleted code file",
        ),
        pytest.param(
            lambda tree: replace(tree / "metrics/train.json", "0.5", "0.4"),
            ["train: its output metrics/train.json differs from dvc.lock"],
            id="a metric edited by hand",
        ),
        pytest.param(
            lambda tree: (tree / "metrics/train.json").unlink(),
            ["train: its output metrics/train.json is missing"],
            id="a deleted metric",
        ),
        pytest.param(
            lambda tree: (tree / "plots/loss.tsv").unlink(),
            ["train: its output plots/loss.tsv is missing"],
            id="a deleted plot",
        ),
        pytest.param(
            lambda tree: replace(
                tree / "dvc.yaml", "python code/train.py", "python -O code/train.py"
            ),
            ["train: another command than in dvc.lock"],
            id="another command",
        ),
        pytest.param(
            lambda tree: replace(tree / "dvc.yaml", "data/rows.txt, m", "data/parts, m"),
            ["train: its dependency data/parts is not in dvc.lock"],
            id="a new dependency",
        ),
        pytest.param(
            lambda tree: replace(tree / "dvc.yaml", "- data/parts", "- data/all"),
            ["prepare: its output data/all is not in dvc.lock"],
            id="a new output",
        ),
        pytest.param(
            lambda tree: replace(tree / "dvc.yaml", "  train:", "  fit:"),
            ["fit: not in dvc.lock"],
            id="a new stage",
        ),
        pytest.param(
            lambda tree: (tree / "dvc.lock").unlink(),
            [
                "prepare: no dvc.lock records what metrics/prepare.json was made from",
                "train: no dvc.lock records what metrics/train.json was made from",
                "train: no dvc.lock records what plots/loss.tsv was made from",
            ],
            id="a deleted lock",
        ),
        pytest.param(
            lambda tree: write(tree, **{"data/local/mine.tsv": "1\n"}),
            ["prepare: its dependency data/local differs from dvc.lock"],
            id="data that the run did not have",
        ),
        pytest.param(
            lambda tree: replace(tree / "pipelines/second/metrics/second.json", "0.9", "1.0"),
            [
                "pipelines/second/dvc.yaml:second: its output "
                "pipelines/second/metrics/second.json differs from dvc.lock"
            ],
            id="a metric of another pipeline",
        ),
        pytest.param(
            lambda tree: (tree / "pipelines/second/dvc.lock").unlink(),
            [
                "pipelines/second/dvc.yaml:second: no dvc.lock records what "
                "pipelines/second/metrics/second.json was made from"
            ],
            id="a pipeline that was never run",
        ),
    ],
)
def test_what_differs_is_named_in_a_clone(
    change: Callable[[Path], object],
    lines: list[str],
    clone: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(clone)
    assert found(capsys) == lines


def test_a_commit_after_an_early_stage_alone_is_found(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree, **{"data/rows.txt": "1\n2\n4\n"})
    record(tree, "prepare")
    without_data(tree)
    assert found(capsys) == ["train: it did not run on the data/rows.txt that prepare made last"]


def test_the_file_for_the_leaderboard_is_compared_with_the_model_of_the_root(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree, **{"models/adapter/weights": "0.2\n"})
    record(tree, "train")
    without_data(tree)
    assert found(capsys) == [
        "submission/dvc.yaml:submission: it did not run on the models/adapter that train made last"
    ]
    # Most never make it, and what Git ignores needs no record.
    (tree / "submission/dvc.lock").unlink()
    main()


def test_a_part_of_a_folder_is_no_dependency_to_compare(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(tree / "dvc.yaml", "data/rows.txt, m", "data/parts/a.txt, m")
    record(tree)
    main()
    capsys.readouterr()
    without_data(tree)
    (line,) = found(capsys)
    assert "data/parts/a.txt and data/parts, an output of prepare, cannot be compared" in line


def test_files_of_the_users_own_that_are_not_here_are_named_and_no_fault(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree, **{"data/local/mine.tsv": "1\n"})
    record(tree)
    (tree / "data/local/mine.tsv").unlink()
    without_data(tree)
    main()
    assert capsys.readouterr().out.splitlines()[0] == (
        "prepare: its dependency data/local differs from dvc.lock; it is not here: not compared"
    )


def test_a_lock_that_cannot_be_read_is_one_line(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / "dvc.lock").write_text("<<<<<<< HEAD\n" + (clone / "dvc.lock").read_text())
    with pytest.raises(SystemExit), report_user_error("lock-check"):
        main()
    (line,) = capsys.readouterr().err.splitlines()
    assert "dvc.lock" in line
    assert "git checkout COMMIT -- FILE" in line


def test_it_runs_in_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no \.dvc"):
        main()
