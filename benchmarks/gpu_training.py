"""Some steps of LoRA by the project's own trainer, with the settings that are compared."""

import shutil
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from newsrec.files import read_json
from newsrec.params.train import Recipe, Train
from newsrec.training import llamafactory, runs
from newsrec.training.dataset import SPLITS, SampleSet
from newsrec.training.precision import choose_precision

SAMPLES_A_STEP = 16
# LLaMA-Factory's arguments: the rival, ours on the same samples in the same order, and in another.
PUBLISHED = {
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": SAMPLES_A_STEP,
    "flash_attn": "disabled",
}
OURS = {
    "per_device_train_batch_size": SAMPLES_A_STEP,
    "gradient_accumulation_steps": 1,
    "disable_gradient_checkpointing": True,
}
GROUPED = {**OURS, "group_by_length": True}


@dataclass(frozen=True)
class Trained:
    """What some steps took; the first one, which warms up, counts in the memory alone.

    Memory is in bytes, as torch counts it on the GPU.
    """

    tokens_per_second: float
    losses: list[float]
    peak_memory: int


def options(recipe: Train) -> dict[str, Any]:
    """What LoRA has beside what every method has."""
    common = {"method", *(entry.name for entry in fields(Recipe))}
    return {key: one for key, one in asdict(recipe).items() if key not in common}


def train_steps(
    folder: Path, samples: SampleSet, recipe: Train, num_steps: int, settings: Mapping[str, Any]
) -> Trained:
    """Train the model in `folder/base`, and leave the adapter in `folder/adapter`.

    Args:
        folder: of the benchmark.
        samples: at least as many as the steps take.
        recipe: of LoRA.
        num_steps: of the optimizer, two at least.
        settings: LLaMA-Factory's arguments that differ.
    """
    base, work, target = folder / "base", folder / "train", folder / "adapter"
    shutil.rmtree(work, ignore_errors=True)
    trainer = runs.trainer_arguments(
        output=work / "output",
        lr=recipe.lr,
        scheduler=recipe.scheduler,
        warmup_ratio=recipe.warmup_ratio,
        epochs=1.0,
        max_steps=num_steps,
        batch_size=1,
        gradient_accumulation_steps=1,
        precision=choose_precision("auto"),
        group_by_length=False,
        logging_steps=1,
        save_steps=num_steps,
        early_stopping=None,
        seed=recipe.seed,
    )
    arguments = llamafactory.arguments(
        base=base,
        samples=samples,
        objective="sft",
        template="qwen3",
        method="lora",
        options=options(recipe),
        cutoff_len=recipe.cutoff_len,
        early_stopping=None,
        trainer=trainer,
    )
    outcome = runs.run(
        llamafactory.WORKER,
        {**arguments, **settings},
        work,
        base=base,
        samples=[samples.file(split) for split in SPLITS],
        output=work / "output",
        seed=recipe.seed,
        method="lora",
    )
    target.mkdir(exist_ok=True)
    for path in llamafactory.trained_files(work / "output", "lora", options(recipe)):
        shutil.copyfile(path, target / path.name)
    steps = read_json(work / "output/meter.json")["steps"]
    seconds = statistics.median(taken for taken, _ in steps[1:])
    num_tokens = (steps[-1][1] - steps[0][1]) / (len(steps) - 1)
    losses = [loss for _, loss in outcome.train_curve]
    return Trained(num_tokens / seconds, losses, outcome.peak_memory_bytes)
