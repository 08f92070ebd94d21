"""The kind of weights in a folder, and the files that belong together."""

import shutil
from pathlib import Path
from typing import Literal

from newsrec.errors import UserError
from newsrec.files import read_json

Kind = Literal["model", "lora", "prefix", "bottleneck"]

# Copied unchanged: a tokenizer may change when it is loaded and saved again.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)
_MODEL_FILES = ("config.json", "generation_config.json", "model.safetensors.index.json")


def kind_of(folder: Path) -> Kind:
    """Whether `folder` has a whole model, a LoRA or prefix of PEFT, or adapters of `adapters`.

    Raises:
        UserError: it has none of these.
    """
    if (folder / "config.json").is_file():
        return "model"
    if (folder / "adapter_config.json").is_file():
        config = read_json(folder / "adapter_config.json")
        if config.get("peft_type") == "LORA":
            return "lora"
        if config.get("peft_type") == "PREFIX_TUNING":
            return "prefix"
        if (folder / "adapter.safetensors").is_file():
            return "bottleneck"
    raise UserError(
        f"{folder}: neither a model (config.json) nor an adapter of a known kind "
        "(adapter_config.json); make it again with: dvc repro"
    )


def base_of(folder: Path) -> Path | None:
    """The folder of an adapter's base model; None for a whole model."""
    description = folder / "adapter_config.json"
    if (folder / "config.json").is_file() or not description.is_file():
        return None
    config = read_json(description)
    return Path(config.get("base_model_name_or_path") or config["model_name"])


def is_model_file(path: Path) -> bool:
    """Whether a file is part of a model's weights or their configuration."""
    return path.name in _MODEL_FILES or path.suffix == ".safetensors"


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the files of a tokenizer and its chat template from one folder to another."""
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
