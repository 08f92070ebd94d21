"""A tracker that is asked for gets the training's figures, and the offline switches yield to it."""

from pathlib import Path
from typing import Any, get_args

import pytest

from newsrec.running.processes import QUIET_AND_OFFLINE, Finished
from newsrec.training import llamafactory, runs
from newsrec.training.dataset import SampleSet
from newsrec.training.fine_tuning import fine_tune
from newsrec.training.trackers import Tracker, tracker_environment
from tests.training.conftest import RECIPE, recipe
from tests.weights import write_weights

TRACKERS = [name for name in get_args(Tracker) if name != "none"]


class Started(Exception):
    """The worker would have been started now."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the worker is given, by `file` and `env`, in place of a start."""
    given: dict[str, Any] = {}

    def start(command: list[Any], env: dict[str, str], log: Path) -> Finished:
        given.update(file=Path(command[-1]).read_text(), env={**QUIET_AND_OFFLINE, **env})
        raise Started

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "run_shown", start)
    monkeypatch.setattr(llamafactory.importlib.util, "find_spec", lambda name: name)
    return given


def train(samples: SampleSet, base: Path, name: str = "lora", **changes: Any) -> None:
    write_weights(base)
    with pytest.raises(Started):
        fine_tune(
            base=base, samples=samples, work=Path("w"), target=Path(), **recipe(name) | changes
        )


@pytest.mark.parametrize("name", ["lora", "full", "p-tuning-v2"])
@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_tracker_is_passed_on_to_either_trainer(
    tracker: str, name: str, started: dict[str, Any], samples: SampleSet, tmp_path: Path
) -> None:
    train(samples, tmp_path, name, report_to=tracker)
    assert f"report_to: {tracker}\n" in started["file"]
    assert ("logging_dir: runs/" in started["file"]) == (tracker == "tensorboard")


def test_none_is_the_default_and_changes_nothing(
    started: dict[str, Any], samples: SampleSet, tmp_path: Path
) -> None:
    train(samples, tmp_path)
    before = dict(started)
    train(samples, tmp_path, report_to="none")
    assert started == before
    assert "report_to: none\n" in started["file"]
    assert started["env"]["WANDB_MODE"] == "disabled"


@pytest.mark.parametrize(("own", "expected"), [(None, "online"), ("offline", "offline")])
def test_the_offline_switch_yields_to_wandb_alone(
    own: str | None,
    expected: str,
    started: dict[str, Any],
    samples: SampleSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if own is not None:
        monkeypatch.setenv("WANDB_MODE", own)
    train(samples, tmp_path, report_to="wandb")
    changed = {name for name, value in QUIET_AND_OFFLINE.items() if started["env"][name] != value}
    assert changed == {"WANDB_MODE"}
    assert started["env"]["WANDB_MODE"] == expected
    assert all(tracker_environment(other) == {} for other in TRACKERS if other != "wandb")


def test_other_settings_are_another_line_in_tensorboard(
    started: dict[str, Any], samples: SampleSet, tmp_path: Path
) -> None:
    folders = set()
    for changes in ({}, {}, {"lr": 5e-5}, {"seed": 8}, {"cutoff_len": 300}):
        train(samples, tmp_path, report_to="tensorboard", **changes)
        (line,) = (one for one in started["file"].splitlines() if one.startswith("logging_dir"))
        folders.add(line.split()[1])
    assert len(folders) == 4
    assert any(folder.startswith("runs/lora-lr5e-05-seed7-") for folder in folders)


def test_a_small_model_is_trained_on_one_thread(
    started: dict[str, Any], samples: SampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    train(samples, tmp_path)
    assert started["env"]["OMP_NUM_THREADS"] == "1"


@pytest.mark.slow  # LLaMA-Factory imports for seconds
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tracker", TRACKERS)
def test_llamafactory_takes_each_tracker_by_its_name(
    tracker: str, samples: SampleSet, tiny_model: Path, tmp_path: Path
) -> None:
    from llamafactory.hparams import get_train_args

    given = {name: value for name, value in RECIPE.items() if name != "cutoff_len"}
    trainer = runs.trainer_arguments(output=tmp_path, report_to=tracker, **given)
    fixed = {"model_name_or_path": str(tiny_model), "stage": "sft", "finetuning_type": "lora"}
    data = {"dataset_dir": str(samples.folder), "dataset": "mind_train", "eval_dataset": "mind_val"}
    _, _, training_args, *_ = get_train_args({**fixed, **data, "template": "qwen3", **trainer})
    assert training_args.report_to == [tracker]
