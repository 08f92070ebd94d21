"""Revisions are found as Git and DVC name them, and what has no figures is reported."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.news.compare import compare
from tests.trees import ENV

Git = Callable[..., str]


def figures(auc: float) -> str:
    measured = {"auc": auc, "auc_low": auc - 0.1, "auc_high": auc + 0.1}
    return json.dumps({"protocol": {"data": "synthetic, é"}, "tuned": measured}, ensure_ascii=False)


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Git in a pipeline in a folder of a repository: AUC 0.5 and 0.6 committed, 0.9 not."""
    folder = tmp_path / "pipelines/second"
    (folder / "metrics").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in (
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
    ):
        monkeypatch.setenv(name, ENV[name])

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q", "-b", "main")
    for auc in (0.5, 0.6):
        write(auc)
        git("add", "-A")
        git("commit", "-qm", f"AUC {auc}")
    write(0.9)
    return git


def write(auc: float) -> None:
    Path("metrics/evaluate.json").write_text(figures(auc), encoding="utf-8")


def commit_aside(git: Git, auc: float, subject: str, *parents: str) -> str:
    """A commit that no branch has, as DVC makes them; its hash."""
    write(auc)
    git("add", "-A")
    before = [word for parent in parents for word in ("-p", parent)]
    made = git("commit-tree", git("write-tree"), *before, "-m", subject)
    git("reset", "-q", "--hard")
    return made


def experiment(git: Git, name: str, auc: float, baseline: str = "HEAD") -> str:
    began = git("rev-parse", baseline)
    made = commit_aside(git, auc, "dvc: commit experiment 1234", began)
    git("update-ref", f"refs/exps/{began[:2]}/{began[2:]}/{name}", made)
    return made


def stashed(git: Git, name: str, stash: str) -> str:
    head = git("rev-parse", "HEAD")
    made = commit_aside(git, 0.6, f"dvc-exp:{head}:{head}:{name}", head)
    git("update-ref", "--create-reflog", "-m", "commit: dvc-exp", f"refs/exps/celery/{stash}", made)
    return made


def auc_of(name: str) -> float:
    row = next(line for line in compare(name, "workspace").splitlines() if line[:6] == "| auc ")
    return float(row.split("|")[2].split()[0])


@pytest.mark.parametrize(
    ("name", "auc"),
    [
        *(("HEAD", 0.6), ("HEAD~1", 0.5), ("main", 0.6), ("@", 0.6), ("workspace", 0.9)),
        *(("v1", 0.5), ("light", 0.5), ("feature/x", 0.5), ("main@{1}", 0.5)),
    ],
)
def test_a_revision_is_what_git_calls_one_or_the_workspace(name: str, auc: float, git: Git) -> None:
    git("tag", "-a", "v1", "-m", "first", "HEAD~1")
    git("tag", "light", "HEAD~1")
    git("branch", "feature/x", "HEAD~1")
    assert auc_of(name) == auc
    assert auc_of(git("rev-parse", "--short=7", "HEAD~1")) == 0.5


def test_an_experiment_is_found_by_its_name_and_its_hash(git: Git) -> None:
    made = experiment(git, "qlora", 0.7)
    assert auc_of("qlora") == auc_of(made[:7]) == 0.7


def test_of_two_experiments_of_one_name_the_one_of_this_commit_is_taken(git: Git) -> None:
    experiment(git, "qlora", 0.7)
    older = experiment(git, "qlora", 0.8, "HEAD~1")
    assert auc_of("qlora") == 0.7
    git("commit", "-q", "--allow-empty", "-m", "further")
    with pytest.raises(UserError, match=rf"2 experiments of that name.*{older[:7]}"):
        compare("qlora", "workspace")


@pytest.mark.parametrize(
    ("stash", "words"), [("stash", "queued and has no figures yet"), ("failed", "dvc queue logs")]
)
def test_an_experiment_without_figures_is_named_by_its_state(
    stash: str, words: str, git: Git
) -> None:
    task = stashed(git, "later", stash)
    # What DVC keeps of it is a commit with the figures of before.
    for name in ("later", task[:7]):
        with pytest.raises(UserError, match=words):
            compare(name, "workspace")


def test_a_queued_experiment_that_has_run_is_found_by_its_task(git: Git) -> None:
    task = stashed(git, "later", "stash")
    experiment(git, "later", 0.8)
    assert auc_of(task[:7]) == auc_of("later") == 0.8


@pytest.mark.parametrize(
    "name", ["nothing", "HEAD~1000", "", "--help", "a b", "main..HEAD", "HEAD^{tree}", "exps"]
)
def test_what_is_no_revision_is_reported_as_that(name: str, git: Git) -> None:
    with pytest.raises(UserError, match="no such commit, branch, tag or experiment"):
        compare("HEAD", name)


def test_a_commit_without_figures_is_reported_as_that(git: Git) -> None:
    git("rm", "-q", "--cached", "metrics/evaluate.json")
    git("commit", "-qm", "none")
    with pytest.raises(UserError, match=r"HEAD: no metrics/evaluate\.json in this commit"):
        compare("HEAD", "workspace")


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", '{"protocol": {}}', '{"tuned": {}}', "[]"])
def test_figures_that_cannot_be_read_are_reported(text: str, git: Git) -> None:
    Path("metrics/evaluate.json").write_text(text)
    with pytest.raises(UserError, match=r"evaluate\.json"):
        compare("HEAD", "workspace")
    git("commit", "-qam", "broken")
    with pytest.raises(UserError, match=r"HEAD: its metrics/evaluate\.json"):
        compare("HEAD", "workspace")


def test_a_folder_without_git_is_reported_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match="not a git repository"):
        compare("HEAD", "workspace")
