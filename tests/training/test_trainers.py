"""Both trainers for real, on a tiny model: every method, a kill, early stopping, a broken loss."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from newsrec.errors import UserError
from newsrec.files import sha256_folder
from newsrec.training import llamafactory, peft_methods, runs
from tests.compose_params import ROOT
from tests.training.conftest import OPTIONS, RECIPE, recipe, write_samples

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TRAINERS = {"p-tuning-v2": peft_methods, "adapter": peft_methods}


def train(name: str, base: Path, data: Path, folder: Path, **changes: Any) -> runs.Outcome:
    (folder / "trained").mkdir(parents=True, exist_ok=True)
    return TRAINERS.get(name, llamafactory).train(
        base=base,
        data=data,
        work=folder / "work",
        target=folder / "trained",
        **recipe(name, **changes),
    )


def start_and_kill(name: str, base: Path, data: Path, folder: Path, at_step: int) -> None:
    """Train in a process of its own, and kill that with -9 once `at_step` is behind it."""
    module = TRAINERS.get(name, llamafactory).__name__
    (folder / "trained").mkdir(parents=True, exist_ok=True)
    paths = {"base": base, "data": data, "work": folder / "work", "target": folder / "trained"}
    code = (
        f"from pathlib import Path, PosixPath; from {module} import train; "
        f"train(**{paths!r}, **{recipe(name)!r})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        give_up, shown = time.monotonic() + 240, ""
        while f"{at_step}/12" not in shown:
            assert time.monotonic() < give_up, shown[-2000:]
            piece = process.stdout.read1()
            assert piece, shown[-2000:]
            shown += piece.decode(errors="replace")
        process.send_signal(signal.SIGKILL)


def checkpoints(folder: Path) -> list[int]:
    """The steps of the checkpoints that are whole."""
    found = (folder / "work/output").glob("checkpoint-*/trainer_state.json")
    return sorted(json.loads(path.read_text())["global_step"] for path in found)


# Killed between two checkpoints and right behind one, where it may be half-written.
@pytest.mark.parametrize(
    ("name", "at_step"),
    [("lora", 8), ("pissa", 7), ("p-tuning-v2", 5)],
)
def test_a_killed_run_loses_at_most_save_steps_and_ends_in_the_same_bytes(
    name: str, at_step: int, tiny_model: Path, samples: Path, tmp_path: Path
) -> None:
    # The work folder has one name in both: it stands in train.yaml.
    place, whole = tmp_path / "run", tmp_path / "whole"
    uninterrupted = train(name, tiny_model, samples, place)
    place.rename(whole)

    start_and_kill(name, tiny_model, samples, place, at_step)
    left = checkpoints(place)
    assert left
    assert left[-1] >= at_step - RECIPE["save_steps"]
    assert not list((place / "trained").iterdir())
    resumed = train(name, tiny_model, samples, place)
    assert sha256_folder(place / "trained") == sha256_folder(whole / "trained")
    assert resumed.train_curve == uninterrupted.train_curve
    assert resumed.val_curve == uninterrupted.val_curve
    assert resumed.kept_step == uninterrupted.kept_step


@pytest.mark.parametrize(
    ("name", "changes", "num_steps"),
    [
        ("lora", {"max_steps": 7}, 7),  # within an epoch
        ("adapter", {"lr": 0.0, "early_stopping": 1}, 8),  # nothing improves
    ],
)
def test_a_run_killed_behind_its_last_step_ends_as_it_would_have(
    name: str,
    changes: dict[str, Any],
    num_steps: int,
    tiny_model: Path,
    samples: Path,
    tmp_path: Path,
) -> None:
    first = train(name, tiny_model, samples, tmp_path, **changes)
    digest = sha256_folder(tmp_path / "trained")
    shutil.rmtree(tmp_path / "trained")
    second = train(name, tiny_model, samples, tmp_path, **changes)
    assert first.num_steps == second.num_steps == num_steps
    assert sha256_folder(tmp_path / "trained") == digest
    assert second.val_curve == first.val_curve


@pytest.mark.parametrize("name", ["dora", "qlora", "full", "freeze"])
def test_every_other_method_trains_what_it_says(
    name: str, tiny_model: Path, samples: Path, tmp_path: Path
) -> None:
    from newsrec.models.checks import count_parameters
    from newsrec.models.folders import kind_of

    outcome = train(name, tiny_model, samples, tmp_path)
    total, method = count_parameters(tiny_model), OPTIONS[name][0]
    wanted = "model" if method in ("full", "freeze") else "lora"
    assert kind_of(tmp_path / "trained") == wanted
    share = outcome.num_trainable_parameters / total
    assert share == 1 if method == "full" else 0 < share < 0.6
    assert outcome.num_steps == 12
    assert [step for step, _ in outcome.val_curve] == [4, 8, 12]
    assert outcome.train_curve[-1][1] < outcome.train_curve[0][1]
    seen = json.loads((tmp_path / "work/output/trainer_state.json").read_text())
    assert outcome.tokens_per_second * outcome.seconds == pytest.approx(
        seen["num_input_tokens_seen"]
    )
    assert outcome.peak_memory_bytes > 1e8


@pytest.mark.parametrize("name", ["lora", "adapter"])
def test_early_stopping_keeps_the_weights_of_the_lowest_validation_loss(
    name: str, tiny_model: Path, tmp_path: Path
) -> None:
    # Validated on answers that are none: the surer of Yes and No, the higher the loss.
    data = write_samples(tmp_path / "data")
    val = data / "mind_val.jsonl"
    lines = [json.loads(line) for line in val.read_text().splitlines()]
    val.write_text("".join(json.dumps(line | {"output": "Perhaps so"}) + "\n" for line in lines))
    changes = {
        "epochs": 20.0, "early_stopping": 2, "scheduler": "constant", "lr": 2e-2,
    }  # fmt: skip
    outcome = train(name, tiny_model, data, tmp_path / "run", **changes)
    losses = dict(outcome.val_curve)
    assert outcome.num_steps < 240
    assert losses[outcome.kept_step] == min(losses.values())
    assert outcome.num_steps == outcome.kept_step + 2 * RECIPE["save_steps"]
    # The kept weights are those of that step, not of the last.
    changes |= {"early_stopping": None, "max_steps": outcome.kept_step}
    straight = train(name, tiny_model, data, tmp_path / "straight", **changes)
    assert straight.kept_step == outcome.kept_step
    weights = [
        next((tmp_path / run / "trained").glob("*.safetensors")).read_bytes()
        for run in ("run", "straight")
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("name", ["lora", "p-tuning-v2"])
def test_a_loss_that_turns_nan_stops_the_run_at_its_step(
    name: str, tiny_model: Path, samples: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"the loss .* no number at step [2-5]; lower train\.lr"):
        train(name, tiny_model, samples, tmp_path, lr=1e38, warmup_ratio=0.0, logging_steps=12)
    assert not list((tmp_path / "trained").iterdir())


@pytest.mark.parametrize("name", ["lora", "p-tuning-v2"])
def test_several_devices_share_a_step(
    name: str,
    tiny_model: Path,
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two processes on the CPU, as there would be for two GPUs.
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    outcome = train(name, tiny_model, samples, tmp_path)
    assert outcome.num_steps == 6
    assert [step for step, _ in outcome.val_curve] == [4, 6]
    assert list((tmp_path / "trained").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("name", "size", "knob"),
    [("lora", "rank", "train.rank"), ("p-tuning-v2", "projection_size", "train.projection_size")],
)
def test_want_of_memory_names_the_knobs(
    name: str, size: str, knob: str, tiny_model: Path, samples: Path, tmp_path: Path
) -> None:
    # Terabytes: the allocator of every machine refuses.
    options = {**OPTIONS[name][1], size: 10**11}
    with pytest.raises(UserError, match=r"ran out of memory; lower, in this order") as caught:
        train(name, tiny_model, samples, tmp_path, options=options)
    for word in ("train.batch_size", "train.cutoff_len", knob, "train.log"):
        assert word in str(caught.value)
