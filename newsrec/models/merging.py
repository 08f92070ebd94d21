"""From a base model and what was trained to one folder for an engine, proved to answer alike."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel

from newsrec.errors import UserError
from newsrec.files import sha256_folder, write_json
from newsrec.models.folders import copy_tokenizer
from newsrec.models.loading import load_model


def merge_adapter(
    base: Path, adapter: Path, target: Path, prompts: Sequence[str], max_shard_size: str
) -> float:
    """Write base + adapter as one model into `target`, in safetensors shards, and check it.

    Runs on the CPU in the base's own precision; one model is in memory at a time.

    Args:
        base: folder of the base model.
        adapter: PEFT folder of a LoRA adapter trained on it.
        target: an existing empty folder.
        prompts: user messages to compare the two models on.
        max_shard_size: of one weights file, like "4GB".

    Returns:
        The largest absolute difference between a next-token logit of the merged model, read back
        from `target`, and of base + adapter, over all prompts.

    Raises:
        UserError: the adapter does not fit the base.
    """
    model = _load(base)
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"{adapter}: does not fit the model in {base} ({' '.join(str(error).split())}); train "
            "it again on this model"
        ) from None
    before = _next_token_logits(adapted, base, prompts)
    merged = adapted.merge_and_unload()
    merged.save_pretrained(target, safe_serialization=True, max_shard_size=max_shard_size)
    copy_tokenizer(base, target)
    del model, adapted, merged
    return _largest_difference(before, _next_token_logits(_load(target), target, prompts))


def hand_on_model(
    base: Path, trained: Path, target: Path, prompts: Sequence[str], max_shard_size: str
) -> float:
    """Write a model that was trained whole into `target`, in the base's precision, and check it.

    What was trained is float32; it is rounded to what the base model has.

    Args:
        base: folder of the model that it was before, for its precision and tokenizer.
        trained: folder of the trained weights.
        target: an existing empty folder.
        prompts: user messages to compare the two on.
        max_shard_size: of one weights file, like "4GB".

    Returns:
        The largest absolute difference of a next-token logit, over all prompts.
    """
    # Where some layers were frozen, its config.json names their precision alone.
    model = _load(trained, "float32")
    before = _next_token_logits(model, base, prompts)
    model.to(AutoConfig.from_pretrained(base).dtype or model.dtype)
    model.save_pretrained(target, safe_serialization=True, max_shard_size=max_shard_size)
    copy_tokenizer(base, target)
    del model
    return _largest_difference(before, _next_token_logits(_load(target), target, prompts))


def hand_on_adapter(base: Path, adapter: Path, target: Path) -> None:
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


def _load(folder: Path, dtype: str = "auto") -> PreTrainedModel:
    model = load_model(folder, dtype)
    model.eval()
    return model


@torch.no_grad()
def _next_token_logits(
    model: torch.nn.Module, tokenizer_folder: Path, prompts: Sequence[str]
) -> list[torch.Tensor]:
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder, trust_remote_code=False)
    logits = []
    for prompt in prompts:
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            add_generation_prompt=True,
            enable_thinking=False,
            return_tensors="pt",
        )
        logits.append(model(input_ids=ids).logits[0, -1].float())
    return logits
