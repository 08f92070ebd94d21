"""A finished run of the pipeline, small: files under DVC and Git as a run leaves them."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from dvc.repo import Repo

from newsrec.news.promote import ARTIFACT
from tests import ROOT
from tests.news.report.conftest import evaluation, probe
from tests.trees import ENV

PROTOCOL = {
    "data": "huggingface, 0123456789ab",
    "feedback": "earlier",
    "model": "someone/model (huggingface), 0123",
    "revision": "main",
    "method": "lora",
    "train_seed": "42",
}
METRICS = (
    *("evaluate", "by_user", "baselines", "fetch_model", "merge", "check_engine_tuned"),
    "provenance",
)
GRAPH = {
    "stages": {
        "run": {
            "cmd": "true",
            "deps": ["params.yaml"],
            "outs": ["models/base", "models/adapter", "models/merged"]
            + [{f"metrics/{name}.json": {"cache": False}} for name in METRICS],
        }
    },
    "artifacts": {ARTIFACT: {"path": "models/merged", "type": "model"}},
}
MADE_BY = {
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "uncommitted_changes": False,
    "python": "3.11.7",
    "packages": {"torch": "2.13.0"},
    "cpu": "AMD EPYC, 2 logical cores",
    "gpus": ["NVIDIA L4"],
}


def users(auc: float, rows: str = "same rows") -> dict[str, Any]:
    """metrics/by_user.json of 30 users with 3 impressions each, about that AUC."""
    mean = auc + 0.02 * np.random.default_rng(1).standard_normal(30)
    return {
        "rows": rows,
        "auc_sum": (3 * mean).tolist(),
        "num_aucs": [3] * 30,
        "num_correct": [9] * 30,
        "num_candidates": [12] * 30,
    }


def metrics(tuned: float = 0.7, **protocol: str) -> dict[str, dict[str, Any]]:
    """What a run of a real model leaves in metrics/, by the names of the files."""
    evaluated = evaluation(tuned=tuned)
    evaluated["protocol"] = {**PROTOCOL, "engine": "vllm", **protocol}
    return {
        "evaluate": evaluated,
        "by_user": users(tuned),
        "baselines": {"leak_probe": probe()},
        "fetch_model": {
            "source": "huggingface",
            "name": "someone/model",
            "revision": "main",
            "num_parameters": 8,
            "digest": "abc",
        },
        "merge": {
            "kind": "lora",
            "max_logit_difference": 1e-5,
            "rounding": 1e-5,
            "tolerance": 4.0,
            "protocol": PROTOCOL,
        },
        "check_engine_tuned": {"engine": "vllm", "max_difference": 1e-6, "tolerance": 1e-3},
        "provenance": {
            "seeds": {"train": 42},
            **dict.fromkeys(("train", "score_base", "score_tuned", "report"), MADE_BY),
        },
    }


def commit(folder: Path, message: str = "a run") -> str:
    """Everything in `folder`, as a commit of Git; its hash."""
    for words in (["add", "-A"], ["commit", "-q", "--allow-empty", "-m", message]):
        subprocess.run(["git", *words], cwd=folder, env=ENV, check=True)
    return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip()


def finish_run(folder: Path, found: Mapping[str, Mapping[str, Any]]) -> str:
    """Leave these metrics in `folder` as those of its run, and commit; the commit."""
    for name, values in found.items():
        (folder / f"metrics/{name}.json").write_text(json.dumps(values))
    with chdir(folder), Repo() as repo:
        repo.commit(force=True)
    return commit(folder)


@pytest.fixture(scope="session")
def finished_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that `project` is a copy of."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    (folder / "metrics").mkdir(parents=True)
    (folder / "models/adapter").mkdir(parents=True)
    for name in ("base", "merged"):
        shutil.copytree(tiny_model, folder / "models" / name)
    (folder / "models/base/LICENSE").write_text("Anyone may use it.\n")
    (folder / "models/merged/README.md").write_text("Not evaluated yet.\n")
    (folder / "models/adapter/protocol.json").write_text(json.dumps(PROTOCOL))
    (folder / "models/adapter/train.yaml").write_text("learning_rate: 0.005\n")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(GRAPH))
    (folder / ".gitignore").write_text("/models/\n/.work/\n")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    Repo.init(str(folder)).close()
    finish_run(folder, metrics())
    return folder


@pytest.fixture
def project(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed run of a real model that is better than its base; the folder of the test."""
    folder = tmp_path / "project"
    shutil.copytree(finished_run, folder, symlinks=True)
    for name, value in ENV.items():
        if name.startswith("GIT_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder
