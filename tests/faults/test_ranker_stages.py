"""The same in the ranker's stages; what trains by reinforcement and what teaches: tests/ranker."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from newsrec.engines.settings import URL_VARIABLE
from newsrec.params.compose import compose
from tests.engines.texts_server import Reply, TextsServer, written
from tests.faults.small import copy_without, drafts, outputs
from tests.faults.test_stages import KILLS, kill
from tests.trees import ENV, commit, copy_tree, run

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PIPELINE = "pipelines/ranker"
STAGES = [
    "fetch_reviews", "prepare", "score@sft", "baselines", "compare", "evaluate", "report"
]  # fmt: skip
SETTINGS = [
    "engine=transformers",
    "rl.compared=[]",
    "fetch_model.tiny.hidden_size=32",
    "fetch_model.tiny.num_layers=1",
    "fetch_model.tiny.steps=20",
    "fetch_reviews.synthetic.num_users=200",
    "fetch_reviews.synthetic.num_items=120",
    "prepare.max_lists={train:40,val:10,test:12}",
    "teach.num_train=20",
    "teach.num_val=8",
    "train.max_steps=4",
    "train.save_steps=2",
    "train.logging_steps=1",
    "rl.recipe.max_steps=4",
    "rl.recipe.save_steps=2",
    "rl.recipe.logging_steps=1",
    "rl.recipe.num_val_lists=4",
    "compare.teacher=a-model",
    "compare.max_user_tokens=2",
    "compare.max_item_tokens=0",
    "probes.num_lists=4",
    "baselines.sasrec_epochs=1",
    "evaluate.num_resamples=20",
]


def reply_to(message: str, before: int) -> Reply:
    """Whoever ranks whole lists ranks them by how long its answer to each is."""
    order = sorted(range(1, 21), key=lambda number: (len(message) * number) % 23)
    return written(f"<answer>{', '.join(map(str, order))}</answer>", prompt_tokens=500)


@pytest.fixture(autouse=True, scope="module")
def teacher() -> Iterator[None]:
    """A server that ranks whole lists."""
    with TextsServer(reply_to) as server, pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENV, URL_VARIABLE, server.url)
        yield


@pytest.fixture(scope="module")
def finished(teacher: None, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The pipeline, run to its end, once for all processes of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    shared = (own if worker_id == "master" else own.parent) / "small_ranker"
    with FileLock(f"{shared}.lock"):
        if not (shared / "whole").exists():
            shutil.rmtree(shared, ignore_errors=True)
            tree = shared / "tree"
            copy_tree(tree)
            settings = [*SETTINGS, f"compare.reasoner={shared / 'reasoner'}"]
            compose(tree / PIPELINE / "params.yaml", settings, "ranker")
            commit(tree)
            run(tree / PIPELINE, "dvc", "repro", "merge")
            # As RRec publishes one, so that the folder to load is made anew.
            reasoner = shutil.copytree(tree / PIPELINE / "models/merged", shared / "reasoner")
            config = json.loads((reasoner / "config.json").read_text())
            config["architectures"] = ["Qwen3RRecCasualLM"]
            (reasoner / "config.json").write_text(json.dumps(config))
            run(tree / PIPELINE, "dvc", "repro")
            (shared / "whole").touch()
    return shared / "tree"


@pytest.mark.parametrize("stage", STAGES)
@KILLS
def test_the_run_behind_a_kill_ends_in_the_same_bytes(
    killed: str, when: str, stage: str, finished: Path, tmp_path: Path
) -> None:
    folder = copy_without(finished, tmp_path / "tree", stage, PIPELINE)
    kill(folder, stage, killed, when, log="../../log")  # outside of the copy, which it would change
    run(folder, "dvc", "repro", "-s", stage)
    expected = outputs(finished / PIPELINE, stage)
    assert outputs(folder, stage) == expected
    assert expected
    assert drafts(folder) == []
