"""What LLaMA-Factory is given, and what is made of what it leaves."""

import json
from pathlib import Path
from typing import Any

import pytest

from newsrec.errors import UserError
from newsrec.training import llamafactory


def arguments(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "model_name_or_path": str(folder / "base"),
        "dataset_dir": str(folder / "data"),
        "dataset": "mind_train",
        "eval_dataset": "mind_val",
        "output_dir": str(folder / "work/output"),
        "learning_rate": 1e-4,
        **changes,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/weights").write_text("w")
    (tmp_path / "data").mkdir()
    for split in ("train", "val"):
        (tmp_path / f"data/mind_{split}.jsonl").write_text("{}\n")
    return tmp_path


def checkpoint(folder: Path, step: int, state: str) -> Path:
    path = folder / f"work/output/checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "trainer_state.json").write_text(state)
    return path


def test_checkpoints_of_the_same_run_are_kept(folder: Path) -> None:
    llamafactory._keep_only_same_run(arguments(folder), folder / "work")
    kept = checkpoint(folder, 10, "{}")
    llamafactory._keep_only_same_run(arguments(folder), folder / "work")
    assert kept.exists()


@pytest.mark.parametrize("change", ["arguments", "model", "samples"])
def test_checkpoints_of_another_run_are_dropped(change: str, folder: Path) -> None:
    llamafactory._keep_only_same_run(arguments(folder), folder / "work")
    old = checkpoint(folder, 10, "{}")
    changed = arguments(folder)
    if change == "arguments":
        changed["learning_rate"] = 2e-4
    elif change == "model":
        (folder / "base/weights").write_text("other")
    else:
        (folder / "data/mind_train.jsonl").write_text('{"a": 1}\n')
    llamafactory._keep_only_same_run(changed, folder / "work")
    assert not old.exists()


def test_a_checkpoint_that_was_cut_short_is_not_resumed_from(folder: Path) -> None:
    whole = checkpoint(folder, 10, "{}")
    broken = checkpoint(folder, 20, '{"glob')
    empty = folder / "work/output/checkpoint-30"
    empty.mkdir()
    llamafactory._drop_broken_checkpoints(folder / "work/output")
    assert [path.exists() for path in (whole, broken, empty)] == [True, False, False]


def trainer_folder(folder: Path, entries: list[dict[str, float]], val_loss: float = 0.5) -> Path:
    (folder / "trainer_log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 12}))
    (folder / "all_results.json").write_text(json.dumps({"eval_loss": val_loss}))
    return folder


def test_the_log_of_a_resumed_run_counts_each_step_once(tmp_path: Path) -> None:
    entries = [
        {"current_steps": 5, "loss": 0.9},
        {"current_steps": 10, "loss": 0.8},
        {"current_steps": 10, "eval_loss": 0.7},
        {"current_steps": 10, "loss": 0.6},
        {"current_steps": 12},
    ]
    train_points, val_points = llamafactory.read_log(trainer_folder(tmp_path, entries))
    assert train_points == [(5, 0.9), (10, 0.6)]
    assert val_points == [(10, 0.7), (12, 0.5)]


def test_a_loss_that_is_no_number_is_told_with_its_step(tmp_path: Path) -> None:
    entries = [{"current_steps": 5, "loss": 0.9}, {"current_steps": 10, "loss": float("nan")}]
    with pytest.raises(UserError, match=r"step 10 on; lower train\.lr"):
        llamafactory.read_log(trainer_folder(tmp_path, entries))


def test_a_run_too_short_to_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"in 12 steps; lower train\.logging_steps"):
        llamafactory.read_log(trainer_folder(tmp_path, [{"current_steps": 12}]))


def test_an_incomplete_environment_is_told_with_the_command_that_makes_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    with pytest.raises(UserError, match="make env"):
        llamafactory.train(arguments(folder), folder / "work")
