"""Which checkpoints are resumed from, what is read of a finished run, what a failed one reports."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from newsrec.errors import UserError
from newsrec.running.processes import Finished
from newsrec.training import runs
from newsrec.training.advice import BROKEN_LOSS, explain_failure, memory_advice
from newsrec.training.dataset import SampleSet, write_dataset_info
from newsrec.training.fine_tuning import fine_tune
from newsrec.training.methods import MERGED, UNMERGEABLE, WHOLE
from tests.training.conftest import recipe

ARGUMENTS = {"learning_rate": 1e-4}
# What to change when memory is short, in this order: of all methods, and of each.
COMMON = "train.batch_size, train.gradient_accumulation_steps, train.cutoff_len"
KNOBS = {
    "lora": f"{COMMON}, train.rank, train=qlora, a smaller model",
    "qlora": f"{COMMON}, train.rank, a smaller model",
    "full": f"{COMMON}, train=freeze, train=lora, train=qlora, a smaller model",
    "freeze": f"{COMMON}, train.num_layers, train=lora, a smaller model",
    "p-tuning-v2": f"{COMMON}, train.projection_size, train.num_virtual_tokens, train=lora, "
    "a smaller model",
    "adapter": f"{COMMON}, train.reduction_factor, train=qlora, a smaller model",
}


def state(has_ended: bool = False) -> str:
    control = {"args": {"should_training_stop": has_ended}}
    return json.dumps({"stateful_callbacks": {"TrainerControl": control}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/weights").write_text("w")
    (tmp_path / "samples.jsonl").write_text("{}\n")
    return tmp_path


def keep_only_same_run(folder: Path, arguments: dict[str, Any] = ARGUMENTS) -> None:
    runs._keep_only_same_run(
        arguments, folder / "base", [folder / "samples.jsonl"], folder / "work"
    )


def checkpoint(folder: Path, step: int, state: str) -> Path:
    path = folder / f"work/output/checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "trainer_state.json").write_text(state)
    return path


def test_checkpoints_of_the_same_run_are_kept(folder: Path) -> None:
    keep_only_same_run(folder)
    kept = checkpoint(folder, 10, state())
    keep_only_same_run(folder)
    assert kept.exists()


@pytest.mark.parametrize("change", ["arguments", "model", "samples"])
def test_checkpoints_of_another_run_are_dropped(change: str, folder: Path) -> None:
    keep_only_same_run(folder)
    old = checkpoint(folder, 10, state())
    arguments = ARGUMENTS
    if change == "arguments":
        arguments = {"learning_rate": 2e-4}
    elif change == "model":
        (folder / "base/weights").write_text("other")
    else:
        (folder / "samples.jsonl").write_text('{"a": 1}\n')
    keep_only_same_run(folder, arguments)
    assert not old.exists()


def test_a_checkpoint_that_was_cut_short_is_not_resumed_from(folder: Path) -> None:
    whole = checkpoint(folder, 10, state())
    broken = checkpoint(folder, 20, '{"glob')
    empty = folder / "work/output/checkpoint-30"
    empty.mkdir()
    runs._drop_useless_checkpoints(folder / "work/output")
    assert [path.exists() for path in (whole, broken, empty)] == [True, False, False]


def test_the_last_checkpoint_of_a_training_that_had_ended_is_not_resumed_from(
    folder: Path,
) -> None:
    going, ended = checkpoint(folder, 10, state()), checkpoint(folder, 12, state(has_ended=True))
    runs._drop_useless_checkpoints(folder / "work/output")
    assert (going.exists(), ended.exists()) == (True, False)


def finished_run(folder: Path, log_history: list[dict[str, float]]) -> Path:
    state = {
        "global_step": 12, "epoch": 1.0, "best_global_step": 8, "log_history": log_history,
    }  # fmt: skip
    meter = {
        "num_trainable_parameters": 5, "seconds": 2.0, "num_tokens": 300, "peak_memory_bytes": 7,
        "num_processes": 1,
    }  # fmt: skip
    (folder / "trainer_state.json").write_text(json.dumps(state))
    (folder / "meter.json").write_text(json.dumps(meter))
    return folder


def test_a_finished_run_reports_what_it_took_and_which_step_it_kept(tmp_path: Path) -> None:
    history = [
        {"step": 5, "loss": 0.9},
        {"step": 8, "eval_loss": 0.5},
        {"step": 10, "loss": 0.8},
        {"step": 12, "eval_loss": 0.6},
        {"step": 12, "train_loss": 0.85},
    ]
    outcome = runs._read_outcome(finished_run(tmp_path, history), "eval_loss")
    assert outcome.train_curve == [(5, 0.9), (10, 0.8)]
    assert outcome.val_curve == [(8, 0.5), (12, 0.6)]
    assert (outcome.num_steps, outcome.kept_step) == (12, 8)
    assert outcome.tokens_per_second == 150


def test_a_run_too_short_to_log_is_reported(tmp_path: Path) -> None:
    output = finished_run(tmp_path, [{"step": 12, "eval_loss": 0.6}])
    with pytest.raises(UserError, match=r"in 12 steps; lower train\.logging_steps"):
        runs._read_outcome(output, "eval_loss")


@pytest.mark.parametrize(
    ("code", "tail"),
    [
        (-9, ""),
        (1, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
        (1, "Root Cause:\n traceback : Signal 9 (SIGKILL) received by PID 12\n====="),
        (1, "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
@pytest.mark.parametrize("method", KNOBS)
def test_out_of_memory_names_the_knobs_in_order(method: str, code: int, tail: str) -> None:
    message = explain_failure(Finished(code, tail), method, Path("train.log"))
    assert message.startswith("training ran out of memory; lower, in this order: train.batch_size")
    places = [message.index(word) for word in ("batch_size", "cutoff_len", "choose", "train.log")]
    assert places == sorted(places)


@pytest.mark.parametrize(("method", "knobs"), KNOBS.items())
def test_the_advice_of_every_method_names_its_knobs_in_order(method: str, knobs: str) -> None:
    advice = memory_advice(method)
    assert re.findall(r"(?:train[.=]|a smaller)[\w-]*(?: model)?", advice) == knobs.split(", ")


def test_there_is_advice_for_every_method() -> None:
    assert set(KNOBS) == {*MERGED, *WHOLE, *UNMERGEABLE}


def test_a_validation_loss_that_is_nan_ends_the_process_with_its_step() -> None:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from newsrec.training.callbacks import StopAtBrokenLoss

    given = TrainingArguments(report_to="none"), TrainerState(global_step=8), TrainerControl()
    StopAtBrokenLoss().on_evaluate(*given, metrics={"eval_loss": 0.5})
    with pytest.raises(SystemExit, match=BROKEN_LOSS) as caught:
        StopAtBrokenLoss().on_evaluate(*given, metrics={"eval_loss": float("nan")})
    assert "of validation is not a number at step 8" in str(caught.value)


def test_a_broken_loss_is_found_behind_a_progress_bar_and_reported_once() -> None:
    words = "newsrec: the loss of training is not a number at step 7"
    message = explain_failure(
        Finished(1, f" 17%|█▋  | 1/6{words}{words}\n===\n"), "lora", Path("t.log")
    )
    assert message.startswith("the loss of training is not a number at step 7; lower train.lr")


@pytest.mark.parametrize("behind", ["", " 50%|█████     | 4/8 [00:01<00:01]", "=" * 60])
def test_another_end_is_reported_with_its_exception(behind: str) -> None:
    for rank in ("", "[rank1]: "):
        tail = f"Traceback\n{rank}ValueError: no such\ntorch.x.ChildFailedError: \n{behind}\n"
        message = explain_failure(Finished(1, tail), "lora", Path("t.log"))
        assert message == f"training ended with exit code 1: {rank}ValueError: no such (log: t.log)"


def test_an_incomplete_environment_is_reported_with_the_command_that_makes_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = SampleSet(folder, "any")
    write_dataset_info(samples)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="make env"):
        fine_tune(
            base=folder,
            samples=samples,
            work=folder,
            target=folder,
            **recipe("lora"),
        )
