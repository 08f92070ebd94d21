"""A small classifier that nothing trained: a LoRA adapter with a head, and both merged."""

from pathlib import Path

import torch
from peft import LoraConfig, TaskType, get_peft_model

from newsrec.chat.texts import encode_texts
from newsrec.chat.tokens import load_tokenizer
from newsrec.models.loading import load_model
from newsrec.models.merging import merge_adapter

CLASSES = ("正常", "广告", "谣言")
HEAD_OPTIONS = {
    "num_labels": len(CLASSES),
    "id2label": dict(enumerate(CLASSES)),
    "label2id": {name: id_ for id_, name in enumerate(CLASSES)},
}
TEXTS = [
    "今天天气很好，我们去公园散步。",
    "",
    "快来买",
    "结尾是控制符<|endoftext|>",
    "结尾是控制符",
    "\u200b\u200b",
    "<|endoftext|>",
    "🎉" * 40,
    *("很长的文字，" * number for number in range(1, 12)),
]
EMPTY = [row for row, text in enumerate(TEXTS) if text in ("", "\u200b\u200b")]
MAX_TOKENS = 100


def write_adapter(base: Path, target: Path) -> Path:
    """An adapter and a head whose logits differ by whole units between texts."""
    torch.manual_seed(0)
    network = load_model(base, "float32", "sequence-classification", num_labels=len(CLASSES))
    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=4, target_modules=["q_proj", "v_proj"])
    adapted = get_peft_model(network, config)
    for name, weight in adapted.named_parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.5 if "score" in name else 0.2)
    adapted.save_pretrained(str(target))
    return target


def merge(base: Path, adapter: Path, target: Path) -> Path:
    """One folder of both."""
    tokenizer = load_tokenizer(base)
    target.mkdir()
    head = "sequence-classification"
    options = {**HEAD_OPTIONS, "pad_token_id": tokenizer.pad_token_id}
    merge_adapter(base, adapter, target, token_ids(base)[:1], "4GB", head, **options)
    return target


def token_ids(base: Path) -> list[list[int]]:
    """Of `TEXTS`."""
    return encode_texts(load_tokenizer(base), TEXTS, MAX_TOKENS)
