"""Merge a LoRA adapter into its base model, and prove that the merged model answers alike."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from newsrec.errors import UserError

# Copied as they are: a tokenizer that is loaded and saved again need not be the same.
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)


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
            f"{adapter}: does not fit the model in {base} ({error}); train it again on this model"
        ) from None
    before = _next_token_logits(adapted, base, prompts)
    merged = adapted.merge_and_unload()
    merged.save_pretrained(target, safe_serialization=True, max_shard_size=max_shard_size)
    for name in _TOKENIZER_FILES:
        if (base / name).exists():
            shutil.copyfile(base / name, target / name)
    del model, adapted, merged
    after = _next_token_logits(_load(target), target, prompts)
    return max(float((one - other).abs().max()) for one, other in zip(before, after, strict=True))


def _load(folder: Path) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", trust_remote_code=False
    )
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
