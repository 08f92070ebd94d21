"""The commands of docs/experiments.md, one after the other, on stages that take no time."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests import ROOT
from tests.documents import TEXTS, blocks
from tests.trees import ENV, commit, copy_tree, ran_stages, run

pytestmark = pytest.mark.slow

# What pip installs with optuna into this environment, which has the rest.
OPTUNA = (
    "optuna==5.0.0", "alembic==1.20.1", "colorlog==6.12.0", "greenlet", "Mako==1.4.3",
    "SQLAlchemy==2.1.9",
)  # fmt: skip
SECTIONS = dict(
    re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXTS["docs/experiments.md"], re.M | re.S)
)
# A stage of the news pipeline's parameters and outputs, without its work.
STAGE = """
import json, sys, yaml
train = yaml.safe_load(open("params.yaml"))["train"]
if sys.argv[1] == "train":
    loss = train["lr"] * train["rank"] + len(train["method"]) / 100
    open("models/weights", "w").write(f"{train['method']} {train['lr']}")
    json.dump({"val_loss": loss}, open("metrics/train.json", "w"))
    open("plots/loss_val.tsv", "w").write(f"step\\tloss\\n1\\t{loss}\\n2\\t{loss / 2}\\n")
else:
    weights = open("models/weights").read()
    figures = {"tuned": {"auc": len(weights) / 100, "weights": weights}}
    json.dump(figures, open("metrics/evaluate.json", "w"))
"""
GRAPH = {
    "train": {
        "cmd": "python stage.py train",
        "deps": ["stage.py"],
        "params": ["train"],
        "outs": ["models/weights"],
        "metrics": [{"metrics/train.json": {"cache": False}}],
        "plots": [{"plots/loss_val.tsv": {"cache": False, "x": "step", "y": "loss"}}],
    },
    "evaluate": {
        "cmd": "python stage.py evaluate",
        "deps": ["stage.py", "models/weights"],
        "params": ["evaluate"],
        "metrics": [{"metrics/evaluate.json": {"cache": False}}],
    },
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree with such stages, run once and committed."""
    tree = tmp_path_factory.mktemp("document") / "newsrec"
    copy_tree(tree)
    shutil.rmtree(tree / "pipelines")  # lock-check asks for the results of every pipeline
    (tree / "stage.py").write_text(STAGE)
    (tree / "dvc.yaml").write_text(yaml.safe_dump({"stages": GRAPH}, sort_keys=False))
    with (tree / ".gitignore").open("a") as stream:
        stream.write("/models/weights\n")
    for name in ("metrics", "plots"):
        (tree / name).mkdir()
    commit(tree)
    run(tree, "dvc", "repro")
    run(tree, "git", "add", "-A")
    run(tree, "git", "commit", "-qm", "first run")
    return tree


def do(tree: Path, section: str) -> list[str]:
    """Run the commands of a section as a shell reads them; what each printed."""
    (block,) = blocks(SECTIONS[section], "sh")
    return [step(tree, line) for line in block.splitlines()]


def step(tree: Path, line: str, code: int = 0) -> str:
    done = subprocess.run(
        ["bash", "-c", line], cwd=tree, env=ENV, text=True, capture_output=True, check=False
    )
    assert done.returncode == code, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def params(tree: Path) -> dict:
    return yaml.safe_load((tree / "params.yaml").read_text())["train"]


def test_the_document_runs_from_a_first_experiment_to_going_back(tree: Path) -> None:
    *_, shown = do(tree, "One value or choice")
    assert "qlora" in shown
    assert params(tree)["lr"] == 5e-5
    assert run(tree, "git", "rev-list", "--count", "HEAD") == "2\n"

    queue, start, status, show = blocks(SECTIONS["Many: a sweep"], "sh")[0].splitlines()
    step(tree, queue)
    step(tree, start)
    give_up = time.monotonic() + 300
    while re.search("Queued|Running", shown := step(tree, status)):
        assert time.monotonic() < give_up, shown
        time.sleep(0.5)
    assert shown.count("Success") == 2
    shown = step(tree, show)
    order = re.findall(r"sweep-\d", shown)
    assert order.index("sweep-1") < order.index("sweep-2")  # sorted by the loss, lower first

    do(tree, "Keeping the best")
    assert params(tree)["lr"] == 1e-2
    assert (tree / "models/weights").read_text() == "lora 0.01"
    assert run(tree, "git", "status", "--porcelain") == ""
    assert "up to date" in run(tree, "dvc", "status")
    assert "sweep" not in run(tree, "git", "for-each-ref", "refs/exps")

    found = do(tree, "Comparing")
    assert all("train.json" in text and "val_loss" in text for text in found[:2])
    page = (tree / "dvc_plots/index.html").read_text()
    assert '"rev": "HEAD"' in page
    assert '"rev": "try-qlora"' in page


def test_a_merge_of_two_runs_ends_with_the_run_of_what_was_merged(tree: Path) -> None:
    merge, *rest = blocks(SECTIONS["Merging branches that were both run"], "sh")[0].splitlines()
    assert "CONFLICT (content): Merge conflict in dvc.lock" in step(tree, merge, code=1)
    outputs = [step(tree, line) for line in rest]
    # The training of the branch is in the cache of runs.
    assert ran_stages(outputs[2]) == set()
    assert params(tree)["method"] == "qlora"
    assert json.loads((tree / "metrics/evaluate.json").read_text())["tuned"]["weights"] == (
        (tree / "models/weights").read_text()
    )
    assert run(tree, "git", "status", "--porcelain") == ""
    assert run(tree, "git", "log", "--merges", "--format=%s") == "Merge try-qlora\n"
    step(tree, "make -o .venv/.ready lock-check")


def test_going_back_restores_parameters_figures_and_outputs(tree: Path) -> None:
    now, before = (
        run(tree, "git", "show", f"{revision}:metrics/evaluate.json")
        for revision in ("HEAD", "HEAD~1")
    )
    run(tree, "dvc", "exp", "run", "-S", "train.lr=0.5")
    assert (tree / "models/weights").read_text() == "lora 0.5"
    last, earlier = blocks(SECTIONS["Going back"], "sh")[0].splitlines()
    for line, figures in ((last, now), (earlier, before)):
        step(tree, line)
        assert (tree / "metrics/evaluate.json").read_text() == figures
        assert json.loads(figures)["tuned"]["weights"] == (tree / "models/weights").read_text()
        assert "up to date" in run(tree, "dvc", "status")
    step(tree, "git checkout -q - && dvc checkout")


@pytest.fixture(scope="module")
def optuna() -> Path:
    """Optuna in a folder of its own, fetched once; a skipped test where PyPI cannot be reached."""
    target = ROOT / ".work/packages/optuna"
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", target]
        done = subprocess.run([*pip, *OPTUNA], capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(target, ignore_errors=True)
            pytest.skip(f"optuna cannot be had: {done.stderr[-200:]}")
    return target


def test_a_study_by_optuna_finds_and_names_the_best_of_its_trials(
    tree: Path, optuna: Path, tmp_path: Path
) -> None:
    (script,) = blocks(SECTIONS["A study with Optuna"], "python")
    script = script.replace("n_trials=5", "n_trials=2")
    (tmp_path / "study.py").write_text(script)
    study = ("env", f"PYTHONPATH={optuna}", sys.executable, tmp_path / "study.py")
    first = run(tree, *study)
    again = run(tree, *study)  # goes on
    best = re.search(r"keep it with: (dvc exp apply study-\d)", again)
    assert "keep it with" in first
    assert best is not None
    refs = run(tree, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    losses = {
        ref.split("/")[-1]: json.loads(run(tree, "git", "show", f"{ref}:metrics/train.json"))
        for ref in refs
        if "/study-" in ref
    }
    assert set(losses) == {f"study-{number}" for number in range(4)}
    step(tree, best[1])
    found = json.loads((tree / "metrics/train.json").read_text())["val_loss"]
    assert found == min(one["val_loss"] for one in losses.values())
