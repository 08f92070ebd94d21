"""From a base model and what was trained to one folder for an engine, checked to answer alike."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoConfig, PreTrainedModel

from newsrec.errors import UserError
from newsrec.files import sha256_folder, write_json
from newsrec.models.folders import copy_tokenizer
from newsrec.models.heads import Head, answer_logits
from newsrec.models.loading import load_model


def merge_adapter(
    base: Path,
    adapter: Path,
    target: Path,
    prompts: Sequence[Sequence[int]],
    max_shard_size: str,
    head: Head = "causal-lm",
    **head_options: Any,
) -> float:
    """Write base + adapter as one model into `target`, in safetensors shards, and check it.

    Runs on the CPU in the base's own precision; one model is in memory at a time.

    Args:
        base: folder of the base model.
        adapter: PEFT folder of a LoRA adapter trained on it.
        target: an existing empty folder.
        prompts: token ids to compare the two models on.
        max_shard_size: of one weights file, like "4GB".
        head: of the trained model.
        head_options: of a head that the base does not have, see `load_model`.

    Returns:
        The largest absolute difference between a logit of the merged model, read back from
        `target`, and of base + adapter, over all prompts: of the next token, or of a class.

    Raises:
        UserError: the adapter does not fit the base.
    """
    model = _load(base, head=head, **head_options)
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"{adapter}: does not fit the model in {base} ({' '.join(str(error).split())}); train "
            "it again on this model"
        ) from None
    before = _logits(adapted, prompts, head)
    merged = adapted.merge_and_unload()
    merged.save_pretrained(target, safe_serialization=True, max_shard_size=max_shard_size)
    copy_tokenizer(base, target)
    del model, adapted, merged
    return _largest_difference(before, _logits(_load(target, head=head), prompts, head))


def export_model(
    base: Path,
    trained: Path,
    target: Path,
    prompts: Sequence[Sequence[int]],
    max_shard_size: str,
    head: Head = "causal-lm",
) -> float:
    """Write a model that was trained whole into `target`, in the base's precision, and check it.

    What was trained is float32; it is rounded to what the base model has.

    Args:
        base: folder of the model that it was before, for its precision and tokenizer.
        trained: folder of the trained weights.
        target: an existing empty folder.
        prompts: token ids to compare the two on.
        max_shard_size: of one weights file, like "4GB".
        head: of the trained model.

    Returns:
        The largest absolute difference of a logit, over all prompts.
    """
    # Where some layers were frozen, its config.json names their precision alone.
    model = _load(trained, "float32", head)
    before = _logits(model, prompts, head)
    model.to(AutoConfig.from_pretrained(base).dtype or model.dtype)
    model.save_pretrained(target, safe_serialization=True, max_shard_size=max_shard_size)
    copy_tokenizer(base, target)
    del model
    return _largest_difference(before, _logits(_load(target, head=head), prompts, head))


def export_adapter(base: Path, adapter: Path, target: Path) -> None:
    """Copy what cannot be merged into `target`, with the tokenizer and the digest of its base.

    Its adapter_config.json names the base by its folder, as its library means it to.
    """
    for path in adapter.iterdir():
        shutil.copyfile(path, target / path.name)
    copy_tokenizer(base, target)
    # So that another base under the same name makes another folder.
    write_json(target / "base.json", {"folder": str(base), "sha256": sha256_folder(base)})


def _largest_difference(before: Sequence[torch.Tensor], after: Sequence[torch.Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(before, after, strict=True))


def _load(
    folder: Path, dtype: str = "auto", head: Head = "causal-lm", **head_options: Any
) -> PreTrainedModel:
    model = load_model(folder, dtype, head, **head_options)
    model.eval()
    return model


@torch.no_grad()
def _logits(
    model: torch.nn.Module, prompts: Sequence[Sequence[int]], head: Head
) -> list[torch.Tensor]:
    return [
        answer_logits(model(input_ids=torch.tensor([ids])).logits, head).float() for ids in prompts
    ]
