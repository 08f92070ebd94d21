"""A classifier of texts: trained for real, killed, by two processes, merged."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from newsrec.files import sha256_folder
from newsrec.training import runs
from newsrec.training.classification import fine_tune_classifier
from newsrec.training.labelled import LabelledTexts
from tests.training.conftest import RECIPE, checkpoints, num_tokens, start_and_kill
from tests.training.texts import CLASSES, training, write_reviews

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("one_thread"),
]

HEAD = "base_model.model.score.weight"
# The same 4 samples a step as one process with two batches of 2: by the number of GPUs, two
# batches at once, or half a batch for each process of a CPU.
SHARED: list[tuple[int, dict[str, Any]]] = [
    (2, {"gradient_accumulation_steps": 1, "batch_size": 2}),
    (0, {"gradient_accumulation_steps": 1, "batch_size": 4, "processes": 2}),
]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> LabelledTexts:
    """Few texts in three classes."""
    return write_reviews(tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every run takes place: its paths are in train.yaml."""
    return tmp_path_factory.mktemp("training") / "place"


@pytest.fixture(scope="module")
def whole(
    one_thread: None, tiny_model: Path, samples: LabelledTexts, place: Path
) -> tuple[Path, runs.Outcome]:
    """A run that nothing interrupted."""
    outcome = fine_tune_classifier(**training(tiny_model, samples, place))
    return place.rename(place.with_name("whole")), outcome


def test_a_classifier_learns_and_keeps_the_step_with_the_best_macro_f1(
    whole: tuple[Path, runs.Outcome],
) -> None:
    folder, outcome = whole
    adapter = load_file(folder / "adapter/adapter_model.safetensors")
    assert (outcome.num_steps, outcome.num_epochs) == (36, 3.0)
    assert outcome.num_trainable_parameters == sum(weight.numel() for weight in adapter.values())
    assert adapter[HEAD].shape == (len(CLASSES), 32)
    assert adapter[HEAD].dtype == torch.float32
    scores = dict(outcome.metric_curves["macro_f1"])
    assert list(scores) == [step for step, _ in outcome.val_curve] == list(range(4, 37, 4))
    # The first of the best, as early stopping counts.
    assert outcome.kept_step == max(scores, key=lambda step: (scores[step], -step))
    assert scores[outcome.kept_step] > 0.5  # one class for all: 0.24
    kept = load_file(
        folder / f"work/output/checkpoint-{outcome.kept_step}/adapter_model.safetensors"
    )
    assert all(torch.equal(adapter[name], kept[name]) for name in adapter)
    # The mean over the texts of a step, not the sum over its batches.
    assert outcome.train_curve[0][1] == pytest.approx(math.log(len(CLASSES)), rel=0.5)
    assert outcome.tokens_per_second > 0


# 31 is within the third epoch.
@pytest.mark.parametrize(
    "at_step", [31, *(pytest.param(step, marks=pytest.mark.faults) for step in (5, 12, 20, 36))]
)
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(
    at_step: int,
    whole: tuple[Path, runs.Outcome],
    tiny_model: Path,
    samples: LabelledTexts,
    place: Path,
) -> None:
    shutil.rmtree(place, ignore_errors=True)
    arguments = training(tiny_model, samples, place)
    start_and_kill(
        "from newsrec.training.classification import fine_tune_classifier\n"
        "from newsrec.training.labelled import LabelledTexts\n"
        f"fine_tune_classifier(**{arguments!r})",
        f"{at_step}/36",
    )
    assert checkpoints(place / "work")[-1] >= at_step - RECIPE["save_steps"]
    assert not list((place / "adapter").iterdir())
    resumed = fine_tune_classifier(**arguments)
    folder, outcome = whole
    assert sha256_folder(place / "adapter") == sha256_folder(folder / "adapter")
    assert resumed.train_curve == outcome.train_curve
    assert resumed.val_curve == outcome.val_curve
    assert resumed.metric_curves == outcome.metric_curves
    assert num_tokens(resumed) < num_tokens(outcome)  # it did not begin again


@pytest.mark.parametrize(("num_gpus", "shared"), SHARED)
def test_two_processes_end_in_the_weights_of_one(
    num_gpus: int,
    shared: dict[str, Any],
    tiny_model: Path,
    samples: LabelledTexts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Dropout is drawn for a batch, and batches differ.
    def arguments(name: str, **changes: Any) -> dict[str, Any]:
        made = training(tiny_model, samples, tmp_path / name, epochs=1.0, **changes)
        return {**made, "options": {**made["options"], "dropout": 0.0}}

    one = fine_tune_classifier(**arguments("one"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)
    two = fine_tune_classifier(**arguments("two", **shared))
    assert (one.num_processes, two.num_processes) == (1, 2)
    assert one.num_steps == two.num_steps == 12
    # Of 13 rows each is counted once, although the processes' last batches hold more.
    assert two.metric_curves == one.metric_curves
    for curve, expected in ((two.val_curve, one.val_curve), (two.train_curve, one.train_curve)):
        assert dict(curve) == pytest.approx(dict(expected), abs=1e-4)
    weights, expected = (
        load_file(tmp_path / name / "adapter/adapter_model.safetensors") for name in ("two", "one")
    )
    for name, weight in expected.items():
        assert torch.allclose(weights[name], weight, atol=1e-5), name
