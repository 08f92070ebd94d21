"""A copy of this tree in which tests run DVC, as a user would in a clone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from newsrec.engines.vllm_engine import PYTHON_VARIABLE, vllm_python
from newsrec.params.compose import compose
from tests import ROOT

# What runs of the project and of its pipelines have left in Git.
_MADE = re.compile(r"^(pipelines/\w+/)?(metrics/|plots/|dvc\.lock$)")

# What a user may have set; no run writes or shows it.
SECRETS = {
    name: f"secret-of-{name.lower()}-1f0c9d"
    for name in (
        "NEWSREC_API_KEY",
        "NEWSREC_MONGODB_PASSWORD",
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "MODELSCOPE_API_TOKEN",
        "WANDB_API_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    )
}
ENV = {
    **os.environ,
    **SECRETS,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    PYTHON_VARIABLE: str(vllm_python()),
    "DVC_NO_ANALYTICS": "true",
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
}


def run(tree: Path, *command: str | Path) -> str:
    """The output of a command in `tree`, which must succeed."""
    finished = subprocess.run(
        command, cwd=tree, env=ENV, text=True, capture_output=True, check=False
    )
    assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr[-5000:]
    assert not secrets_in((finished.stdout + finished.stderr).encode())
    return finished.stdout


def secrets_in(data: bytes) -> list[str]:
    """The variables of `SECRETS` whose value is in the data."""
    return [name for name, value in SECRETS.items() if value.encode() in data]


def run_pipeline(folder: Path, name: str, stages: set[str]) -> Path:
    """Run a pipeline of pipelines/ once, from nothing, in a copy of this tree.

    Args:
        folder: to copy into.
        name: of the pipeline.
        stages: all of which must run.

    Returns:
        The pipeline's folder in the copy.
    """
    tree = folder / "newsrec"
    copy_tree(tree)
    commit(tree)
    pipeline = tree / "pipelines" / name
    assert "no problems found" in run(pipeline, "newsrec", "doctor")
    assert ran_stages(run(pipeline, "dvc", "repro")) == stages
    return pipeline


def check_splits(pipeline: Path) -> None:
    """No cluster of near copies lies in two splits."""
    splits = [
        set(pd.read_parquet(pipeline / f"data/processed/{name}.parquet")["cluster"])
        for name in ("train", "val", "test")
    ]
    assert not splits[0] & splits[1] | splits[0] & splits[2] | splits[1] & splits[2]


def check_reports(pipeline: Path) -> None:
    """The page and the summary say that the model is a tiny one, and show no path of the copy."""
    for name in ("report.html", "summary.md"):
        text = (pipeline / "reports" / name).read_text(encoding="utf-8")
        assert "iny model" in text or "iny test model" in text, name
        assert str(pipeline) not in text


def ran_stages(output: str) -> set[str]:
    """The stages that DVC ran, from its output."""
    return {line.split("'")[1] for line in output.splitlines() if "Running stage" in line}


def copy_tree(target: Path) -> None:
    """This tree as it is now, committed or not, without what earlier runs made."""
    listed = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file() and not _MADE.search(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    # The composition, whatever an experiment left in params.yaml.
    compose(target / "params.yaml")


def commit(tree: Path) -> None:
    """All files of `tree` as one commit."""
    run(tree, "git", "init", "-q")
    run(tree, "git", "add", "-A")
    run(tree, "git", "commit", "-qm", "start")
