"""A few lists, and a recipe small enough to train on them in seconds."""

from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.ranker.params import Prompt
from newsrec.ranker.rl.training import Lists
from newsrec.ranker.tables import ITEMS_SCHEMA, LISTS_SCHEMA

PROMPT = Prompt(facts=("description",), max_title_words=20, max_description_words=100)
KINDS = ("guitar", "drum", "flute", "piano")
_DAY = 24 * 3600 * 1000
_ITEMS = [f"B{number:02}" for number in range(24)]

# 6 steps of 4 lists, a checkpoint and a validation every 2.
RECIPE: dict[str, Any] = {
    "k": 3,
    "trains": "lora",
    "lora": {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": "q_proj,v_proj,down_proj"},
    "gradient_checkpointing": False,
    "num_val_lists": 6,
    "seed": 7,
    "scheduler": "cosine",
    "warmup_ratio": 0.1,
    "epochs": 1.0,
    "max_steps": -1,
    "batch_size": 2,
    "gradient_accumulation_steps": 2,
    "precision": "fp32",
    "group_by_length": False,
    "logging_steps": 2,
    "save_steps": 2,
    "early_stopping": None,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "exact": {"lr": 3e-2},
    "softmax": {"lr": 3e-2},
    "group": {"lr": 3e-2, "num_rankings": 8},
    "ppo": {
        "lr": 1e-2, "model_lr_share": 0.2, "critic_lr": 1e-2, "num_rankings": 1,
        "inner_epochs": 2, "clip": 0.2, "entropy": 0.01, "value_weight": 0.5,
    },
}  # fmt: skip


def write_lists(folder: Path, num_train: int = 26, num_val: int = 7) -> Lists:
    """Lists of unlike lengths; the target is of one kind, and all others are not."""
    rng = Random(3)
    items = [
        {
            "item": item,
            "title": f"{KINDS[number % 4]} {rng.choice('abcd')} {rng.randint(1, 99)}",
            "category": KINDS[number % 4],
            "description": "a fine one " * (number % 3),
        }
        for number, item in enumerate(_ITEMS)
    ]
    pq.write_table(pa.Table.from_pylist(items, schema=ITEMS_SCHEMA), folder / "items.parquet")
    for split, num in (("train", num_train), ("val", num_val)):
        rows = [_row(f"{split}{number}", rng) for number in range(num)]
        table = pa.Table.from_pylist(rows, schema=LISTS_SCHEMA)
        pq.write_table(table, folder / f"{split}.parquet")
    files = (folder / f"{name}.parquet" for name in ("train", "val", "items"))
    return Lists(*files, PROMPT, max_prompt_tokens=500)


def arguments(base: Path, lists: Lists, place: Path, method: str, **changes: Any) -> dict[str, Any]:
    """The arguments of `train_by_reinforcement`; what it writes is below `place`."""
    (place / "trained").mkdir(parents=True)
    fixed = {"base": base, "lists": lists, "work": place / "work", "target": place / "trained"}
    return {**RECIPE, **fixed, "method": method, "options": OPTIONS[method], **changes}


def _row(name: str, rng: Random) -> dict[str, Any]:
    bought = rng.sample(_ITEMS[1::4], rng.randint(0, 3))
    target = rng.choice(_ITEMS[::4])
    others = [item for item in _ITEMS if item not in [*bought, *_ITEMS[::4]]]
    candidates = [target, *rng.sample(others, rng.randint(2, 4))]
    now = 1000 * _DAY
    return {
        "id": name,
        "user": f"user of {name}",
        "timestamp": now,
        "history": [
            {"item": item, "rating": 4.0, "timestamp": now - (9 - place) * _DAY}
            for place, item in enumerate(bought)
        ],
        "target": target,
        "candidates": rng.sample(candidates, len(candidates)),
    }
