"""Methods that LLaMA-Factory does not support: P-Tuning v2 with PEFT, adapters with `adapters`.

Their weights are stored next to the base model; only transformers can load them.
"""

from pathlib import Path
from typing import Any

from newsrec.errors import unknown_choice
from newsrec.training.dataset import SampleSet

WORKER = "newsrec.training.peft_worker"

# The libraries also write a model card, which is not copied.
_ADAPTER_FILES = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "adapter.safetensors",
    "adapter_interface.json",
)


def arguments(
    *,
    base: Path,
    samples: SampleSet,
    objective: str,
    template: str,
    method: str,
    options: dict[str, Any],
    cutoff_len: int,
    early_stopping: int | None,
    trainer: dict[str, Any],
) -> dict[str, Any]:
    """The arguments of `peft_worker`; see `fine_tuning.fine_tune`.

    Raises:
        UserError: this trainer does not support the objective.
    """
    if objective != "sft":
        raise unknown_choice("the objective of training", objective, ["sft"])
    splits = ("val", *(f"val_{part}" for part in samples.val_parts()))
    validated = {samples.dataset(split): str(samples.file(split)) for split in splits}
    return {
        "base": str(base),
        "template": template,
        "cutoff_len": cutoff_len,
        "train_samples": str(samples.file("train")),
        "val_samples": validated if len(validated) > 1 else str(samples.file("val")),
        "method": method,
        "options": options,
        "early_stopping": early_stopping,
        "trainer": trainer,
    }


def trained_files(output: Path, method: str, options: dict[str, Any]) -> list[Path]:
    """The files in the trainer's folder that are its result."""
    found = [output / "adapter" / name for name in _ADAPTER_FILES]
    return [path for path in found if path.exists()]
