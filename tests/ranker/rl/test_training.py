"""Training by reinforcement: for real, killed, by two processes, merged."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from newsrec.errors import UserError
from newsrec.files import read_json, sha256_folder
from newsrec.models.merging import export_model, merge_adapter
from newsrec.ranker.rl import training
from newsrec.ranker.rl.training import Lists, some_prompts, train_by_reinforcement
from newsrec.ranker.rl.worker import train
from newsrec.training import runs
from tests import ROOT
from tests.ranker.rl.small import OPTIONS, RECIPE, arguments, write_lists
from tests.training.conftest import checkpoints, one_thread, start_and_kill

__all__ = ["one_thread"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("one_thread"),
]

ADAPTER = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return write_lists(tmp_path_factory.mktemp("lists"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every run takes place: its paths are in train.yaml."""
    return tmp_path_factory.mktemp("training") / "place"


@pytest.fixture(scope="module")
def whole(
    one_thread: None, tiny_model: Path, lists: Lists, place: Path
) -> tuple[Path, runs.Outcome, dict[str, Any]]:
    """A run that nothing interrupted."""
    outcome, audit = train_by_reinforcement(**arguments(tiny_model, lists, place, "exact"))
    return place.rename(place.with_name("whole")), outcome, audit


def trained_here(base: Path, lists: Lists, work: Path, method: str, **changes: Any) -> Path:
    """The output folder of a run in this process."""
    settings = {**RECIPE, "method": method, "options": OPTIONS[method], **changes}
    train(training.describe(base=base, lists=lists, work=work, **settings))
    return work / "output"


def test_the_ranker_learns_and_keeps_the_step_with_the_best_ndcg(
    whole: tuple[Path, runs.Outcome, dict[str, Any]],
) -> None:
    folder, outcome, audit = whole
    adapter = load_file(folder / "trained" / ADAPTER)
    # 26 lists are six steps of four; two lists are left out.
    assert (outcome.num_steps, outcome.num_epochs) == (6, 1.0)
    assert outcome.num_trainable_parameters == sum(weight.numel() for weight in adapter.values())
    curve = dict(outcome.metric_curves["ndcg"])
    assert list(curve) == [step for step, _ in outcome.val_curve] == [2, 4, 6]
    assert outcome.kept_step == max(curve, key=lambda step: (curve[step], -step))
    assert audit["end_ndcg"] == pytest.approx(curve[outcome.kept_step], abs=1e-6)
    expected = dict(outcome.metric_curves["expected_ndcg"])
    assert audit["end_expected_ndcg"] == pytest.approx(expected[outcome.kept_step], abs=1e-6)
    assert dict(outcome.val_curve) == pytest.approx({at: -of for at, of in expected.items()})
    assert audit["end_ndcg"] > audit["start_ndcg"] + 0.2
    assert audit["divergence"] > 0
    assert audit["start_noise_one"] > audit["start_noise_group_masked"] > 0
    assert all(torch.isfinite(torch.tensor(value)) for value in audit.values())


@pytest.mark.parametrize(
    "at_step", [5, *(pytest.param(step, marks=pytest.mark.faults) for step in (1, 3, 6))]
)
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(
    at_step: int,
    whole: tuple[Path, runs.Outcome, dict[str, Any]],
    tiny_model: Path,
    lists: Lists,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Steps are short: by default a few in a row are shown as one.
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    monkeypatch.setenv("TQDM_MINITERS", "1")
    shutil.rmtree(place, ignore_errors=True)
    given = arguments(tiny_model, lists, place, "exact")
    start_and_kill(
        "from newsrec.ranker.params import Prompt\n"
        "from newsrec.ranker.rl.training import Lists, train_by_reinforcement\n"
        f"train_by_reinforcement(**{given!r})",
        f"{at_step}/6",
    )
    assert not list((place / "trained").iterdir())
    if at_step > 2:
        assert checkpoints(place / "work")
    resumed, audit = train_by_reinforcement(**given)
    folder, outcome, expected = whole
    assert sha256_folder(place / "trained") == sha256_folder(folder / "trained")
    assert (resumed.train_curve, resumed.val_curve) == (outcome.train_curve, outcome.val_curve)
    assert resumed.metric_curves == outcome.metric_curves
    assert audit == expected


@pytest.mark.parametrize("method", ["exact", "group", "ppo"])
def test_one_batch_and_accumulated_ones_end_in_the_same_weights(
    method: str, tiny_model: Path, lists: Lists, tmp_path: Path
) -> None:
    one = {"batch_size": 4, "gradient_accumulation_steps": 1}
    two = {"batch_size": 2, "gradient_accumulation_steps": 2}
    found, expected = (
        load_file(
            trained_here(tiny_model, lists, tmp_path / name, method, **batches)
            / "adapter"
            / ADAPTER
        )
        for name, batches in (("one", one), ("two", two))
    )
    assert_close(found, expected)


@pytest.fixture(scope="module")
def two_processes(
    one_thread: None, tiny_model: Path, lists: Lists, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What `tests.ranker.rl.ranks` leaves of two processes."""
    folder = tmp_path_factory.mktemp("two")
    for method, options in OPTIONS.items():
        settings = {**RECIPE, "method": method, "options": options}
        settings |= {"batch_size": 2, "gradient_accumulation_steps": 1}
        job = training.describe(base=tiny_model, lists=lists, work=folder, **settings)
        # Else both would end with what the first has saved.
        job["trainer"]["load_best_model_at_end"] = False
        (folder / f"{method}.json").write_text(json.dumps(job))
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [sys.executable, *torchrun, "-m", "tests.ranker.rl.ranks", folder, *OPTIONS],
        cwd=ROOT,
        check=True,
    )
    return folder


@pytest.mark.parametrize("method", OPTIONS)
def test_two_processes_end_in_the_weights_of_one(
    method: str, two_processes: Path, tiny_model: Path, lists: Lists, tmp_path: Path
) -> None:
    output = trained_here(tiny_model, lists, tmp_path / "one", method)
    num_steps = read_json(output / "trainer_state.json")["global_step"]
    expected = load_file(output / f"checkpoint-{num_steps}/trained.safetensors")
    first, second = (
        load_file(two_processes / f"{method}-RankerTrainer-{rank}.safetensors") for rank in (0, 1)
    )
    assert_close(first, second)
    assert_close(first, expected)


def test_two_processes_whose_model_is_called_unwrapped_part(two_processes: Path) -> None:
    first, second = (
        load_file(two_processes / f"exact-UnwrappedTrainer-{rank}.safetensors") for rank in (0, 1)
    )
    assert max(float((first[name] - second[name]).abs().max()) for name in first) > 1e-3


def assert_close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(expected)
    for name, weight in expected.items():
        assert (found[name] - weight).abs().max() < 1e-6, name


@pytest.mark.parametrize("method", ["softmax", "group", "ppo"])
def test_every_method_trains(method: str, tiny_model: Path, lists: Lists, tmp_path: Path) -> None:
    output = trained_here(tiny_model, lists, tmp_path / "work", method)
    state = read_json(output / "trainer_state.json")
    # PPO takes two steps on the same draws.
    assert state["global_step"] == (12 if method == "ppo" else 6)
    audit = read_json(output / training.AUDIT) | training._means(output)
    assert audit["divergence"] > 0
    figures = {"clip_share", "step_divergence", "explained_variance"}
    assert audit.keys() & figures == (figures if method == "ppo" else set())
    adapter = load_file(output / "adapter" / ADAPTER)
    assert not [name for name in adapter if "critic" in name]


def test_an_adapter_and_a_whole_model_are_merged(
    tiny_model: Path, lists: Lists, tmp_path: Path
) -> None:
    prompts = some_prompts(tiny_model, lists, 3)
    for trains, write in (("lora", merge_adapter), ("full", export_model)):
        output = trained_here(tiny_model, lists, tmp_path / trains, "exact", trains=trains)
        target = tmp_path / f"merged {trains}"
        target.mkdir()
        found = write(
            tiny_model,
            output / {"lora": "adapter", "full": "model"}[trains],
            target,
            prompts,
            "1GB",
        )
        assert found.difference <= 4 * found.rounding
        assert sha256_folder(target) != sha256_folder(tiny_model)


def test_too_few_lists_and_steps_that_part_draws_are_refused(
    tiny_model: Path, lists: Lists, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="26 lists to train on, fewer than the 30 of a step; lower"):
        trained_here(tiny_model, lists, tmp_path / "few", "exact", batch_size=15)
    with pytest.raises(UserError, match=r"rl\.ppo\.inner_epochs is 2; expected .* multiples of it"):
        trained_here(tiny_model, lists, tmp_path / "steps", "ppo", save_steps=3)
