"""Fine-tuning that LLaMA-Factory does not know: P-Tuning v2 by PEFT, bottlenecks by `adapters`.

What they train stays beside the base model; only transformers can load it.
"""

import shutil
from pathlib import Path
from typing import Any

from newsrec.training import runs

# What to lower behind batch size and length when memory is short.
_KNOBS = {
    "p-tuning-v2": "train.projection_size, train.num_virtual_tokens; or choose train=lora, which "
    "computes activations again instead of keeping them, or a smaller model",
    "adapter": "or raise train.reduction_factor; or choose train=qlora, or a smaller model",
}

# Everything else that the libraries write is a card of the model.
_ADAPTER_FILES = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "adapter.safetensors",
    "adapter_interface.json",
)


def train(
    *,
    base: Path,
    data: Path,
    template: str,
    work: Path,
    target: Path,
    method: str,
    cutoff_len: int,
    seed: int,
    options: dict[str, Any],
    **trainer: Any,
) -> runs.Outcome:
    """Train beside `base` on the samples of `data` and write what came of it into `target`.

    Args:
        base: folder of the base model.
        data: folder of mind_train.jsonl and mind_val.jsonl, alpaca records.
        template: LLaMA-Factory's name of the chat template.
        work: checkpoints and log; kept when the run is interrupted, for the caller to drop.
        target: an existing empty folder: gets a PEFT folder (p-tuning-v2) or one of `adapters`
            (adapter), and train.yaml, which `python -m newsrec.training.peft_worker` runs by hand.
        method: p-tuning-v2 or adapter.
        cutoff_len: tokens of a sample at most.
        seed: of everything random.
        options: of the method, see `newsrec.training.peft_worker`.
        trainer: see `runs.trainer_arguments`.

    Raises:
        UserError: see `runs.run`.
    """
    output = work / "output"
    samples = {split: data / f"mind_{split}.jsonl" for split in ("train", "val")}
    arguments = {
        "base": str(base),
        "template": template,
        "cutoff_len": cutoff_len,
        "train_samples": str(samples["train"]),
        "val_samples": str(samples["val"]),
        "method": method,
        "options": options,
        "early_stopping": trainer["early_stopping"],
        "trainer": runs.trainer_arguments(output=output, seed=seed, **trainer),
    }
    outcome = runs.run(
        "newsrec.training.peft_worker",
        arguments,
        work,
        base=base,
        samples=list(samples.values()),
        output=output,
        seed=seed,
        knobs=_KNOBS[method],
    )
    for name in _ADAPTER_FILES:
        if (output / "adapter" / name).exists():
            shutil.copyfile(output / "adapter" / name, target / name)
    shutil.copyfile(work / "train.yaml", target / "train.yaml")
    return outcome
