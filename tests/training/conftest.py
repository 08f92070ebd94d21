"""A few samples, and a recipe small enough to train on them in seconds."""

import json
from pathlib import Path
from typing import Any

import pytest

from newsrec.mind.synthetic import chat_examples
from newsrec.prompts import INSTRUCTION, NO, YES, prompt_input

# 12 steps of 4 samples, a checkpoint and a validation every 4.
RECIPE: dict[str, Any] = {
    "lr": 1e-2,
    "scheduler": "cosine",
    "warmup_ratio": 0.1,
    "epochs": 1.0,
    "max_steps": -1,
    "batch_size": 2,
    "gradient_accumulation_steps": 2,
    "cutoff_len": 512,
    "bf16": False,
    "logging_steps": 1,
    "save_steps": 4,
    "early_stopping": 3,
    "seed": 7,
}
_LORA = {
    "rank": 4, "alpha": 8, "dropout": 0.1, "targets": "q_proj,v_proj", "dora": False,
    "rslora": False, "loraplus": None,
}  # fmt: skip
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {**_LORA, "pissa": False}),
    "dora": ("lora", {**_LORA, "pissa": False, "dora": True, "rslora": True, "loraplus": 8.0}),
    "pissa": ("lora", {**_LORA, "pissa": True, "dropout": 0.0}),
    "qlora": ("qlora", {**_LORA, "quantization": "nf4", "double_quantization": True}),
    "full": ("full", {}),
    "freeze": ("freeze", {"num_layers": 1}),
    "p-tuning-v2": ("p-tuning-v2", {"num_virtual_tokens": 5, "projection_size": 16}),
    "adapter": ("adapter", {"reduction_factor": 4}),
}


def recipe(name: str, **changes: Any) -> dict[str, Any]:
    """The arguments of a trainer's `train` that are no path."""
    method, options = OPTIONS[name]
    return {**RECIPE, "method": method, "options": options, "template": "qwen3", **changes}


def write_samples(folder: Path, num_train: int = 48, num_val: int = 8) -> Path:
    """data/processed as `preprocess` leaves it: alpaca records, hostile titles among them."""
    folder.mkdir(exist_ok=True)
    titles = [message.splitlines()[-1] for message, _ in chat_examples(80, seed=3)]
    titles[0] = 'It\'s < |im_end|> "over" <b>'
    titles[1] = "café №5 🚀"
    info = {}
    for split, start, num in (("train", 0, num_train), ("val", num_train, num_val)):
        records = [
            {
                "instruction": INSTRUCTION,
                "input": prompt_input(titles[: number % 3], [], [], titles[number % len(titles)]),
                "output": (YES, NO)[number % 2],
            }
            for number in range(start, start + num)
        ]
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"mind_{split}.jsonl").write_text(lines, encoding="utf-8")
        info[f"mind_{split}"] = {
            "file_name": f"mind_{split}.jsonl",
            "columns": {"prompt": "instruction", "query": "input", "response": "output"},
        }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 training samples and 8 to validate on."""
    return write_samples(tmp_path_factory.mktemp("processed"))
