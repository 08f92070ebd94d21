"""A second pipeline beside the news: a DVC project of its own in a folder, from shared stages."""

import json
from pathlib import Path

import pytest
import yaml

from newsrec.params.compose import compose
from newsrec.training.dataset import SampleSet, write_dataset_info
from tests.trees import commit, copy_tree, ran_stages, run

pytestmark = pytest.mark.slow

DEFAULTS = """
defaults:
  - shared
  - engine: transformers
  - train: lora
  - model: tiny
  - _self_

fetch_model:
  tiny:
    vocab_size: 400
    steps: 20

train:
  max_steps: 4
  save_steps: 2
  logging_steps: 1
"""
CORPUS = '''
from newsrec.report.card import TaskCard


def examples(num, seed):
    """Chats of another task than the news."""
    colours = ("red", "green", "blue")
    return [([{"role": "user", "content": f"Name colour {row % 3}."}], colours[row % 3])
            for row in range(num)]


def task_card(protocol):
    return TaskCard("A model of colours", f"Names {protocol['data']}.", "Made up.", "None.", [])
'''


def stage(name: str, argument: str, params: list[str], deps: list[str], outs: list[str]) -> dict:
    """A shared stage in the pipeline's own dvc.yaml."""
    return {
        "cmd": f"PYTHONPATH=../.. python -m stages.{name} {argument}",
        "deps": [f"../../stages/{name}.py", "../../newsrec/training/runs.py", *deps],
        "params": params,
        "outs": outs,
        "metrics": [{f"metrics/{name}.json": {"cache": False}}],
    }


GRAPH = {
    "stages": {
        "fetch_model": stage(
            "fetch_model", "corpus", ["fetch_model"], ["corpus.py"], ["models/base"]
        ),
        "train": stage(
            "train",
            "colours",
            ["train", "model.template"],
            ["models/base", "data/processed", "metrics/fetch_model.json"],
            [
                "models/adapter",
                "metrics/timings/train.json",
                "plots/loss_train.tsv",
                "plots/loss_val.tsv",
            ],
        ),
        "merge": stage(
            "merge",
            "colours corpus",
            ["merge"],
            ["models/base", "models/adapter", "data/processed", "metrics/fetch_model.json"],
            ["models/merged"],
        ),
    }
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pipelines/second in a copy of this tree, committed and not yet run."""
    tree = tmp_path_factory.mktemp("second") / "newsrec"
    copy_tree(tree)
    (tree / "conf/second.yaml").write_text(DEFAULTS)
    folder = tree / "pipelines/second"
    (folder / "data/processed").mkdir(parents=True)
    (folder / "corpus.py").write_text(CORPUS)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(GRAPH, sort_keys=False))
    compose(folder / "params.yaml", [], "second", tree / "conf")
    samples = SampleSet(folder / "data/processed", "colours")
    write_dataset_info(samples)
    (samples.folder / "protocol.json").write_text('{"data": "colours"}\n')
    for split, num in (("train", 40), ("val", 4)):
        records = [
            {"instruction": "Name the colour.", "input": f"Colour {row % 3}", "output": "red"}
            for row in range(num)
        ]
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (samples.folder / f"colours_{split}.jsonl").write_text(lines)
    commit(tree)
    run(folder, "dvc", "init", "-q", "--subdir")
    for key, value in {
        "core.analytics": "false",
        "hydra.enabled": "true",
        "hydra.config_dir": "../../conf",
        "hydra.config_name": "second",
        "cache.dir": "../../.dvc/cache",
    }.items():
        run(folder, "dvc", "config", key, value)
    run(tree, "git", "add", "-A")
    run(tree, "git", "commit", "-qm", "a second pipeline")
    return folder


def train_settings(folder: Path) -> dict:
    return yaml.safe_load((folder / "params.yaml").read_text())["train"]


def test_a_second_pipeline_is_made_of_the_shared_stages(folder: Path) -> None:
    assert "no problems found" in run(folder, "newsrec", "doctor")
    assert ran_stages(run(folder, "dvc", "repro")) == set(GRAPH["stages"])
    assert json.loads((folder / "metrics/train.json").read_text())["protocol"]["data"] == "colours"
    assert (folder / "models/merged/model.safetensors").is_file()
    card = (folder / "models/merged/README.md").read_text()
    assert "# A model of colours" in card
    assert "Names colours." in card
    run(folder.parents[1], "git", "add", "-A")
    run(folder.parents[1], "git", "commit", "-qm", "first run")

    # A value and a choice as an experiment in a copy.
    changes = ("-S", "train.lr=0.01", "-S", "train=full")
    output = run(folder, "dvc", "exp", "run", "--temp", "--name", "whole", *changes, "train")
    assert ran_stages(output) == {"train"}
    changed = json.loads(run(folder, "dvc", "params", "diff", "--json", "HEAD", "whole"))
    assert changed["params.yaml"]["train.method"] == {"old": "lora", "new": "full"}
    assert changed["params.yaml"]["train.lr"]["new"] == 0.01
    assert train_settings(folder)["method"] == "lora"  # of this folder, not of the copy

    # The news pipeline at the root does not see it, nor the other way round.
    root = folder.parents[1]
    listed = run(root, "dvc", "stage", "list", "--all", "--names-only")
    assert "second" not in listed
    assert (root / ".dvc/cache/files").is_dir()
    assert not (folder / ".dvc/cache").exists()
    assert "fetch_mind" in yaml.safe_load((root / "params.yaml").read_text())
