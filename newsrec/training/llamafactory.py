"""Fine-tuning by LLaMA-Factory: LoRA and its variants, QLoRA, freeze and full.

https://github.com/hiyouga/LLaMA-Factory
"""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from newsrec.errors import UserError
from newsrec.models.folders import is_model_file
from newsrec.training import runs

# What a trained adapter consists of; everything else in a trainer's folder is its own book-keeping
# (pickles among it) and stays behind.
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")

# What to lower behind batch size and length when memory is short.
_KNOBS = {
    "lora": "train.rank; or choose train=qlora, or a smaller model",
    "qlora": "train.rank; or choose a smaller model",
    "full": "or choose train=freeze, train=lora, or a smaller model",
    "freeze": "train.num_layers; or choose train=lora, or a smaller model",
}


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
    """Train `base` on the samples of `data` and write what came of it into `target`.

    Args:
        base: folder of the base model.
        data: folder of mind_train.jsonl, mind_val.jsonl and their dataset_info.json.
        template: LLaMA-Factory's name of the chat template; `auto`: the tokenizer's own.
        work: checkpoints and log; kept when the run is interrupted, for the caller to drop.
        target: an existing empty folder: gets a PEFT adapter (lora, qlora) or a model's weights
            (full, freeze), and train.yaml, which `llamafactory-cli train` runs by hand.
        method: lora, qlora, full or freeze.
        cutoff_len: tokens of a sample at most.
        seed: of everything random.
        options: of the method, see `_lora`, `_qlora`, `_full` and `_freeze`.
        trainer: see `runs.trainer_arguments`.

    Raises:
        UserError: LLaMA-Factory is not installed as it should be, or see `runs.run`.
    """
    if importlib.util.find_spec("torchaudio") is None:
        raise UserError(
            "LLaMA-Factory imports torchaudio at start, and there is none; create the environment "
            "with: make env"
        )
    output = work / "output"
    arguments = {
        "model_name_or_path": str(base),
        "trust_remote_code": False,
        "stage": "sft",
        **_METHODS[method](**options),
        "dataset_dir": str(data),
        "dataset": "mind_train",
        "eval_dataset": "mind_val",
        "template": None if template == "auto" else template,
        # Its template then opens the same empty think block as the chat template does at scoring
        # time, outside the loss.
        "enable_thinking": False,
        "cutoff_len": cutoff_len,
        "overwrite_cache": True,
        **runs.trainer_arguments(output=output, seed=seed, **trainer),
        "early_stopping_steps": trainer["early_stopping"],
    }
    outcome = runs.run(
        "newsrec.training.llamafactory_worker",
        arguments,
        work,
        base=base,
        samples=[data / "mind_train.jsonl", data / "mind_val.jsonl"],
        output=output,
        seed=seed,
        knobs=_KNOBS[method],
    )
    # PiSSA trains on what is left of the base beside its first adapter: this one fits the base.
    trained = output / "pissa_converted" if options.get("pissa") else output
    for path in sorted(trained.iterdir()):
        if path.name in _ADAPTER_FILES or (method in ("full", "freeze") and is_model_file(path)):
            shutil.copyfile(path, target / path.name)
    shutil.copyfile(work / "train.yaml", target / "train.yaml")
    return outcome


def _lora(
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
