"""Fine-tuning with LLaMA-Factory: LoRA and its variants, QLoRA, freeze and full.

https://github.com/hiyouga/LLaMA-Factory
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from newsrec.errors import UserError, unknown_choice
from newsrec.models.folders import is_model_file
from newsrec.models.weights import read_weights
from newsrec.training.dataset import SampleSet
from newsrec.training.methods import WHOLE

WORKER = "newsrec.training.llamafactory_worker"

# The files of a trained adapter; other files in a trainer's folder are for its own use (including
# pickle files) and are not copied.
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


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
    """The arguments of `llamafactory-cli train`, by its own names; see `fine_tuning.fine_tune`.

    Raises:
        UserError: LLaMA-Factory is not installed correctly, or the base has no layer with the name
            of a LoRA target.
    """
    if importlib.util.find_spec("torchaudio") is None:
        raise UserError(
            "LLaMA-Factory imports torchaudio at start, but it is not installed; create the "
            "environment with: make env"
        )
    if "targets" in options:
        _check_targets(base, options["targets"])
    parts = [f"val_{part}" for part in samples.val_parts()]
    return {
        "model_name_or_path": str(base),
        "trust_remote_code": False,
        "stage": objective,
        **_METHODS[method](**options),
        "dataset_dir": str(samples.folder),
        "dataset": samples.dataset("train"),
        "eval_dataset": ",".join(samples.dataset(split) for split in ("val", *parts)),
        # Omitted if there are none, so that older runs count as the same run.
        **({"eval_on_each_dataset": True} if parts else {}),
        "template": None if template == "auto" else template,
        # With this, its template adds the same empty think block as the chat template does in
        # scoring, outside the loss.
        "enable_thinking": False,
        "cutoff_len": cutoff_len,
        "overwrite_cache": True,
        **trainer,
        "early_stopping_steps": early_stopping,
    }


def _check_targets(base: Path, targets: str) -> None:
    """Check the names of the targets: PEFT ignores unknown names if any other name matches."""
    if targets.strip() == "all":
        return
    # LoRA can only be applied to a matrix; a tied head is not stored.
    layers = {"lm_head"} | {
        name.removesuffix(".weight")
        for header in read_weights(base).values()
        for name, tensor in header.items()
        if name.endswith(".weight") and len(tensor.shape) == 2
    }
    for target in (name.strip() for name in targets.split(",")):
        if not any(f".{layer}".endswith(f".{target}") for layer in layers):
            names = {layer.rpartition(".")[2] for layer in layers}
            raise unknown_choice(f"{base}: an entry of train.targets", target, {"all", *names})


def trained_files(output: Path, method: str, options: dict[str, Any]) -> list[Path]:
    """The files in the trainer's folder that are its result."""
    # PiSSA trains the base without its initial adapter; the converted adapter fits the base itself.
    trained = output / "pissa_converted" if options.get("pissa") else output
    return [
        path
        for path in sorted(trained.iterdir())
        if path.name in _ADAPTER_FILES or (method in WHOLE and is_model_file(path))
    ]


def _lora(
    gradient_checkpointing: bool,
    rank: int,
    alpha: int,
    dropout: float,
    targets: str,
    dora: bool,
    rslora: bool,
    pissa: bool,
    loraplus: float | None,
) -> dict[str, Any]:
    """LoRA and its variants.

    DoRA: arXiv 2402.09353, rsLoRA: 2312.03732, PiSSA: 2404.02948, LoRA+: 2402.12354.
    """
    return {
        "finetuning_type": "lora",
        "lora_rank": rank,
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "lora_target": targets,
        "use_dora": dora,
        "use_rslora": rslora,
        "pissa_init": pissa,
        "pissa_convert": pissa,
        "loraplus_lr_ratio": loraplus,
        # Omitted if it is on, so that older runs count as the same run.
        **({} if gradient_checkpointing else {"disable_gradient_checkpointing": True}),
    }


def _qlora(quantization: str, double_quantization: bool, **lora: Any) -> dict[str, Any]:
    return {
        **_lora(pissa=False, **lora),
        "quantization_bit": 4,
        "quantization_method": "bnb",
        "quantization_type": quantization,
        "double_quantization": double_quantization,
    }


def _full() -> dict[str, Any]:
    return {"finetuning_type": "full"}


def _freeze(num_layers: int) -> dict[str, Any]:
    return {"finetuning_type": "freeze", "freeze_trainable_layers": num_layers}


_METHODS: dict[str, Callable[..., dict[str, Any]]] = {
    "lora": _lora,
    "qlora": _qlora,
    "full": _full,
    "freeze": _freeze,
}
