"""Whether a folder holds a model that can be used, read from its headers alone."""

import json
from pathlib import Path

from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.models.heads import ARCHITECTURE_SUFFIX, Head, architectures_with, known_architectures
from newsrec.models.weights import ANOTHER_MODEL, present, read_weights

# The first bytes of what Git LFS leaves in place of a file that was not fetched.
_POINTER = b"version https://git-lfs.github.com/spec/"
# What the tools of quantisation write beside the weights.
_QUANTIZED = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")


def check_model(folder: Path, head: Head = "causal-lm") -> None:
    """Check that `folder` holds a whole model with this head, without loading its weights.

    A language model must have a chat template.

    Raises:
        UserError: a file is missing or broken, or the model is of a kind that is not supported.
    """
    _check_no_pointers(folder)
    _check_no_adapter(folder)
    _check_config(present(folder, "config.json"), head)
    _check_tokenizer(folder)
    if head == "causal-lm":
        _check_chat_template(folder)
    read_weights(folder)


def _check_no_pointers(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if not path.is_file():
            continue
        with path.open("rb") as stream:
            if stream.read(len(_POINTER)) == _POINTER:
                raise UserError(
                    f"{path}: a pointer of Git LFS in place of the file; run git lfs pull in "
                    f"{folder}, or download the model again"
                )


def _check_no_adapter(folder: Path) -> None:
    path = folder / "adapter_config.json"
    if not path.is_file():
        return
    base = read_json(path).get("base_model_name_or_path")
    if (folder / "config.json").is_file():
        raise UserError(
            f"{path}: an adapter (of {base!r}) beside a model: transformers loads both, vLLM one "
            "of them; merge it into the model (PEFT's merge_and_unload), or move the adapter's "
            "files out of the folder"
        )
    raise UserError(
        f"{folder}: holds an adapter and no model; fetch the model that it was trained on, {base!r}"
        ", or a folder that both were merged into (PEFT's merge_and_unload)"
    )


def _check_config(path: Path, head: Head) -> None:
    config = read_json(path)
    fitting = architectures_with(head, config)
    if not fitting:
        listed, suffix = config.get("architectures") or [], ARCHITECTURE_SUFFIX[head]
        raise UserError(
            f"{path}: architectures is {json.dumps(listed)}; expected one *{suffix}, a model "
            f"that reads text alone and continues it: {ANOTHER_MODEL}"
        )
    from transformers import __version__

    if fitting[0] not in known_architectures(head):
        brought = "; it brings its own code (auto_map)" if "auto_map" in config else ""
        raise UserError(
            f"{path}: transformers {__version__} has no {fitting[0]}{brought}, and code of a "
            f"model is never run (trust_remote_code stays off): {ANOTHER_MODEL}"
        )
    for name in ("vision_config", "audio_config"):
        if name in config:
            raise UserError(
                f"{path}: has a {name}, so the model reads more than text; expected a language "
                f"model: {ANOTHER_MODEL}"
            )
    _check_not_quantized(path, config)


def _check_not_quantized(path: Path, config: dict[str, object]) -> None:
    settings = config.get("quantization_config") or config.get("compression_config")
    beside = [name for name in _QUANTIZED if (path.parent / name).is_file()]
    if not settings and not beside:
        return
    method = settings.get("quant_method", "") if isinstance(settings, dict) else ""
    found = f"quantization_config ({method})" if settings else beside[0]
    raise UserError(
        f"{path}: {found}: the weights are quantised, and such a model cannot be trained and "
        f"merged; {ANOTHER_MODEL}, the one that it was made from"
    )


def _check_tokenizer(folder: Path) -> None:
    kinds = [["tokenizer.json"], ["tokenizer.model"], ["vocab.json", "merges.txt"]]
    if not any(all((folder / name).is_file() for name in kind) for kind in kinds):
        raise UserError(
            f"{folder}: no tokenizer; expected tokenizer.json, tokenizer.model, or vocab.json and "
            "merges.txt: copy the tokenizer's files from the model that this one was made from, or "
            f"{ANOTHER_MODEL}"
        )
    present(folder, "tokenizer_config.json")


def _check_chat_template(folder: Path) -> None:
    settings = read_json(folder / "tokenizer_config.json")
    if not settings.get("chat_template") and not (folder / "chat_template.jinja").is_file():
        raise UserError(
            f"{folder}: no chat template in tokenizer_config.json and no chat_template.jinja; "
            "choose a model that is trained to chat (often named Instruct) as fetch_model.name, or "
            "write the template that it was trained with to chat_template.jinja"
        )
