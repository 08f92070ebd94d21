"""Both trainers for real, on a tiny model: every method, a kill, early stopping, a broken loss."""

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from newsrec.errors import UserError
from newsrec.files import sha256_folder
from newsrec.training import runs
from newsrec.training.dataset import SampleSet, write_dataset_info
from newsrec.training.fine_tuning import fine_tune
from tests.training.conftest import (
    OPTIONS,
    RECIPE,
    checkpoints,
    num_tokens,
    recipe,
    start_and_kill,
    write_samples,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("one_thread"),
]

EARLY = {"epochs": 20.0, "early_stopping": 2, "scheduler": "constant", "lr": 2e-2}
BROKEN = {"lr": 1e38, "warmup_ratio": 0.0, "logging_steps": 12}
# The answers of the samples, in turn.
PARTS = ("yes", "no")
# Terabytes: the allocator of every machine refuses.
TOO_MUCH = 10**11

# Runs that nothing interrupts: the options, the data set and what differs from the recipe.
RUNS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "lora": ("lora", "mind", {"max_steps": 11}),  # ends within an epoch
    "lora-parts": ("lora", "parts", {"max_steps": 11}),
    "adapter-parts": ("adapter", "parts", {}),
    "lora-epochs": ("lora", "mind", {"epochs": 2.0}),
    "lora-grouped": ("lora", "mind", {"group_by_length": True, "epochs": 2.0}),
    "lora-shared": ("lora", "mind", {"processes": 2}),
    "pissa": ("pissa", "mind", {}),
    "p-tuning-v2": ("p-tuning-v2", "mind", {}),
    "adapter-idle": ("adapter", "mind", {"lr": 0.0, "early_stopping": 1}),  # nothing improves
    "dora": ("dora", "mind", {}),
    "qlora": ("qlora", "reviews", {}),
    "full": ("full", "mind", {}),
    "freeze": ("freeze", "mind", {}),
    "lora-early": ("lora", "unanswerable", EARLY),
    "adapter-early": ("adapter", "unanswerable", EARLY),
    "lora-broken": ("lora", "mind", BROKEN),
    "p-tuning-v2-broken": ("p-tuning-v2", "mind", BROKEN),
    "lora-large": ("lora", "mind", {"options": OPTIONS["lora"][1] | {"rank": TOO_MUCH}}),
    "p-tuning-v2-large": (
        "p-tuning-v2",
        "mind",
        {"options": OPTIONS["p-tuning-v2"][1] | {"projection_size": TOO_MUCH}},
    ),
}


@dataclass(frozen=True)
class Run:
    """One training: where it takes place, and where it lies once it is finished."""

    arguments: dict[str, Any]
    place: Path
    whole: Path

    def train(self) -> runs.Outcome:
        """Train in `place`, from what is there."""
        self.arguments["target"].mkdir(parents=True, exist_ok=True)
        return fine_tune(**self.arguments)


@dataclass(frozen=True)
class Finished:
    """A run and what came of it."""

    run: Run
    future: Future[runs.Outcome]

    @property
    def outcome(self) -> runs.Outcome:
        """Of the run; raises what the run raised."""
        return self.future.result()


def plan(name: str, base: Path, samples: SampleSet, folder: Path, **changes: Any) -> Run:
    # Its place has one name at every start: it is in train.yaml.
    place = folder / "place"
    paths = {"work": place / "work", "target": place / "trained"}
    arguments = {"base": base, "samples": samples, **paths, **recipe(name, **changes)}
    return Run(arguments, place, folder / "whole")


def finish(run: Run) -> runs.Outcome:
    """Train without interruption and put the folder aside."""
    try:
        return run.train()
    finally:
        run.place.rename(run.whole)


def write_parts(folder: Path) -> SampleSet:
    """As `write_samples`; the samples to validate on are there by answer, too."""
    samples = write_samples(folder)
    write_dataset_info(samples, PARTS)
    lines = samples.file("val").read_text().splitlines()
    (folder / "mind_val").mkdir()
    for number, part in enumerate(PARTS):
        of_part = "".join(f"{line}\n" for line in lines[number :: len(PARTS)])
        (folder / f"mind_val/{part}.jsonl").write_text(of_part)
    return samples


@pytest.fixture(scope="module")
def finished(
    request: pytest.FixtureRequest,
    one_thread: None,
    tiny_model: Path,
    samples: SampleSet,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Finished]:
    """The runs that the selected tests ask for as `name`, each made once.

    Two at a time: most of so short a run is imports, which keep one core busy.
    """
    folder = tmp_path_factory.mktemp("runs")
    data = {
        "mind": samples,
        "reviews": write_samples(folder / "reviews", "reviews"),
        # Validated on answers that are none: the surer of Yes and No, the higher the loss.
        "unanswerable": write_samples(folder / "unanswerable"),
        "parts": write_parts(folder / "parts"),
    }
    val = data["unanswerable"].file("val")
    lines = [json.loads(line) for line in val.read_text().splitlines()]
    val.write_text("".join(json.dumps(line | {"output": "Perhaps so"}) + "\n" for line in lines))
    asked = {
        item.callspec.params["name"]: None
        for item in request.session.items
        if item.path == request.path and "finished" in item.fixturenames
    }
    made = {}
    with ThreadPoolExecutor(2) as pool:
        for name in asked:
            method, data_name, changes = RUNS[name]
            run = plan(method, tiny_model, data[data_name], folder / name, **changes)
            made[name] = Finished(run, pool.submit(finish, run))
    return made


# Killed between two checkpoints and right behind one, where it may be half-written.
@pytest.mark.parametrize(
    ("name", "at_step"),
    [
        ("lora", 8),
        pytest.param("lora-parts", 8, marks=pytest.mark.faults),
        pytest.param("lora-epochs", 18, marks=pytest.mark.faults),  # within the second epoch
        pytest.param("lora-grouped", 18, marks=pytest.mark.faults),
        pytest.param("lora-shared", 7, marks=pytest.mark.faults),
        pytest.param("pissa", 7, marks=pytest.mark.faults),
        ("p-tuning-v2", 5),
    ],
)
def test_a_killed_run_loses_at_most_save_steps_and_ends_in_the_same_bytes(
    name: str, at_step: int, finished: Mapping[str, Finished]
) -> None:
    run, uninterrupted = finished[name].run, finished[name].outcome
    shutil.rmtree(run.place, ignore_errors=True)
    run.arguments["target"].mkdir(parents=True)
    start_and_kill(
        "from newsrec.training.dataset import SampleSet\n"
        "from newsrec.training.fine_tuning import fine_tune\n"
        f"fine_tune(**{run.arguments!r})",
        f"{at_step}/{uninterrupted.num_steps}",
    )
    left = checkpoints(run.place / "work")
    assert left
    assert left[-1] >= at_step - RECIPE["save_steps"]
    assert not list((run.place / "trained").iterdir())
    resumed = run.train()
    assert sha256_folder(run.place / "trained") == sha256_folder(run.whole / "trained")
    assert resumed.train_curve == uninterrupted.train_curve
    assert resumed.val_curve == uninterrupted.val_curve
    assert resumed.metric_curves == uninterrupted.metric_curves
    assert resumed.kept_step == uninterrupted.kept_step
    assert num_tokens(resumed) < num_tokens(uninterrupted)  # it did not begin again


@pytest.mark.parametrize(
    ("name", "num_steps"),
    [("lora", 11), pytest.param("adapter-idle", 8, marks=pytest.mark.faults)],
)
def test_a_run_killed_behind_its_last_step_ends_as_it_would_have(
    name: str, num_steps: int, finished: Mapping[str, Finished]
) -> None:
    run, first = finished[name].run, finished[name].outcome
    shutil.rmtree(run.place, ignore_errors=True)
    shutil.copytree(run.whole / "work", run.place / "work")
    second = run.train()
    assert first.num_steps == second.num_steps == num_steps
    assert sha256_folder(run.place / "trained") == sha256_folder(run.whole / "trained")
    assert second.val_curve == first.val_curve


def test_processes_that_share_batches_end_in_the_weights_of_one(
    tiny_model: Path, samples: SampleSet, tmp_path: Path
) -> None:
    # Dropout is drawn for a batch, and their batches differ.
    options = {"options": OPTIONS["lora"][1] | {"dropout": 0.0}}
    one, two = (
        plan("lora", tiny_model, samples, tmp_path / str(num), processes=num, **options)
        for num in (1, 2)
    )
    expected, outcome = one.train(), two.train()
    assert (expected.num_processes, outcome.num_processes) == (1, 2)
    assert outcome.num_steps == expected.num_steps
    for curve, of_one in (
        (outcome.train_curve, expected.train_curve),
        (outcome.val_curve, expected.val_curve),
    ):
        assert dict(curve) == pytest.approx(dict(of_one), abs=1e-3)
    trained, of_one = (weights(run.place / "trained") for run in (two, one))
    for name, weight in of_one.items():
        assert torch.allclose(trained[name], weight, atol=1e-3), name


@pytest.mark.parametrize("name", ["lora-parts"])
def test_parts_are_validated_on_and_training_is_the_same_as_without_them(
    name: str,
    finished: Mapping[str, Finished],
    tiny_model: Path,
    samples: SampleSet,
    tmp_path: Path,
) -> None:
    method, _, changes = RUNS[name]
    without = plan(method, tiny_model, samples, tmp_path, **changes)
    expected, outcome = without.train(), finished[name].outcome
    for file in ("adapter_model.safetensors", "adapter_config.json"):
        trained = [
            folder / "trained" / file for folder in (without.place, finished[name].run.whole)
        ]
        assert trained[0].read_bytes() == trained[1].read_bytes()
    assert expected.metric_curves == {}
    assert outcome.val_curve == expected.val_curve
    check_parts(outcome)


@pytest.mark.parametrize("name", ["adapter-parts"])
def test_parts_are_validated_on_by_the_other_trainer_too(
    name: str, finished: Mapping[str, Finished]
) -> None:
    check_parts(finished[name].outcome)


def check_parts(outcome: runs.Outcome) -> None:
    assert list(outcome.metric_curves) == list(PARTS)
    parts = [dict(curve) for curve in outcome.metric_curves.values()]
    # As many samples in each, and as many tokens in each answer.
    for step, loss in outcome.val_curve:
        assert sum(part[step] for part in parts) / 2 == pytest.approx(loss, rel=1e-4)
        assert parts[0][step] != pytest.approx(parts[1][step], rel=1e-4)


@pytest.mark.parametrize("name", ["dora", "qlora", "full", "freeze"])
def test_every_other_method_trains_what_it_says(
    name: str, tiny_model: Path, finished: Mapping[str, Finished]
) -> None:
    from newsrec.models.facts import count_parameters
    from newsrec.models.folders import kind_of

    outcome, folder = finished[name].outcome, finished[name].run.whole
    total, method = count_parameters(tiny_model), OPTIONS[name][0]
    wanted = "model" if method in ("full", "freeze") else "lora"
    assert kind_of(folder / "trained") == wanted
    share = outcome.num_trainable_parameters / total
    assert share == 1 if method == "full" else 0 < share < 0.6
    assert outcome.num_steps == 12
    assert [step for step, _ in outcome.val_curve] == [4, 8, 12]
    assert outcome.train_curve[-1][1] < outcome.train_curve[0][1]
    seen = json.loads((folder / "work/output/trainer_state.json").read_text())
    assert num_tokens(outcome) == pytest.approx(seen["num_input_tokens_seen"])
    assert outcome.peak_memory_bytes > 1e8


@pytest.mark.parametrize("name", ["lora-early", "adapter-early"])
def test_early_stopping_keeps_the_weights_of_the_lowest_validation_loss(
    name: str, finished: Mapping[str, Finished]
) -> None:
    outcome, folder = finished[name].outcome, finished[name].run.whole
    losses = dict(outcome.val_curve)
    assert outcome.num_steps < 240
    assert losses[outcome.kept_step] == min(losses.values())
    assert outcome.num_steps == outcome.kept_step + 2 * RECIPE["save_steps"]
    # The kept weights are those of that step, not of the last.
    kept = weights(folder / "trained")
    best = weights(folder / f"work/output/checkpoint-{outcome.kept_step}")
    last = weights(folder / f"work/output/checkpoint-{outcome.num_steps}")
    assert kept.keys() == best.keys() == last.keys()
    assert all(torch.equal(kept[key], best[key]) for key in kept)
    assert not any(torch.equal(kept[key], last[key]) for key in kept)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (path,) = folder.glob("*.safetensors")
    return load_file(path)


@pytest.mark.parametrize(
    "name", ["lora-broken", pytest.param("p-tuning-v2-broken", marks=pytest.mark.faults)]
)
def test_a_loss_that_turns_nan_stops_the_run_at_its_step(
    name: str, finished: Mapping[str, Finished]
) -> None:
    with pytest.raises(UserError, match=r"the loss .* not a number at step [2-5]; lower train\.lr"):
        _ = finished[name].outcome
    assert not list((finished[name].run.whole / "trained").iterdir())


@pytest.mark.parametrize(
    ("name", "knob"),
    [
        ("lora-large", "train.rank"),
        pytest.param("p-tuning-v2-large", "train.projection_size", marks=pytest.mark.faults),
    ],
)
def test_want_of_memory_names_the_knobs(
    name: str, knob: str, finished: Mapping[str, Finished]
) -> None:
    with pytest.raises(UserError, match=r"ran out of memory; lower, in this order") as caught:
        _ = finished[name].outcome
    for word in ("train.batch_size", "train.cutoff_len", knob, "train.log"):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["lora", pytest.param("p-tuning-v2", marks=pytest.mark.faults)])
def test_several_devices_share_a_step(
    name: str,
    tiny_model: Path,
    samples: SampleSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two processes on the CPU, as there would be for two GPUs.
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    outcome = plan(name, tiny_model, samples, tmp_path).train()
    assert outcome.num_steps == 6
    assert [step for step, _ in outcome.val_curve] == [4, 6]
    assert list((tmp_path / "place/trained").glob("*.safetensors"))
