"""Small tables of the pipeline's schemas: random, but structured as prepared ones are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.ranker.reference import lists_digest
from newsrec.ranker.tables import ITEMS_SCHEMA, LISTS_SCHEMA, PREDICTIONS_SCHEMA, PURCHASES_SCHEMA

NUM_ITEMS, NUM_CANDIDATES = 60, 20
KINDS = ("guitar", "drum", "flute", "piano")
_MONTH = 30 * 24 * 3600 * 1000


def items() -> list[dict[str, Any]]:
    """Products of four kinds, each with a word of its own."""
    return [
        {
            "item": f"B{number:03}",
            "title": f"{KINDS[number % 4].title()} number {number}",
            "category": KINDS[number % 4],
            "description": f"A {KINDS[number % 4]} like no other",
            "price": 10.0 + number if number % 3 else None,
            "average_rating": 4.2,
            "rating_number": 7 * number,
        }
        for number in range(NUM_ITEMS)
    ]


def lists(num: int, seed: int, num_users: int = 30) -> list[dict[str, Any]]:
    """Lists whose targets are mostly of the kind that the user bought before."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(num):
        user, kind = f"u{number % num_users}", number % num_users % 4
        of_kind = np.arange(kind, NUM_ITEMS, 4)
        target = int(rng.choice(of_kind if rng.random() < 0.8 else NUM_ITEMS))
        before = [int(one) for one in of_kind if one != target]
        history = [int(one) for one in rng.choice(before, size=rng.integers(0, 11), replace=False)]
        rest = [one for one in range(NUM_ITEMS) if one != target and one not in history]
        others = [int(one) for one in rng.choice(rest, size=NUM_CANDIDATES - 1, replace=False)]
        candidates = [int(one) for one in rng.permutation([target, *others])]
        now = 30 * _MONTH + number
        rows.append(
            {
                "id": f"s{seed}-{number}",
                "user": user,
                "timestamp": now,
                "history": [
                    {
                        "item": f"B{one:03}",
                        "rating": 4.0,
                        "timestamp": now - (len(history) - at) * _MONTH,
                    }
                    for at, one in enumerate(history)
                ],
                "target": f"B{target:03}",
                "candidates": [f"B{one:03}" for one in candidates],
            }
        )
    return rows


def write_processed(folder: Path, num_train: int = 60, num_test: int = 80) -> None:
    """Write what `prepare` writes, small."""
    folder.mkdir(parents=True, exist_ok=True)
    write(items(), ITEMS_SCHEMA, folder / "items.parquet")
    for seed, (split, num) in enumerate({"train": num_train, "val": 30, "test": num_test}.items()):
        rows = lists(num, seed)
        write(rows, LISTS_SCHEMA, folder / f"{split}.parquet")
        if split != "train":
            write_reference(rows, folder / f"candidates_{split}.json")
    purchases = [
        {"user": row["user"], "item": row["target"], "rating": 5.0, "timestamp": row["timestamp"]}
        for row in lists(num_train, 0)
    ]
    write(purchases, PURCHASES_SCHEMA, folder / "purchases.parquet")


def write_reference(rows: list[dict[str, Any]], target: Path) -> None:
    """Write the JSON that other systems read."""
    target.write_text(json.dumps({"digest": lists_digest(rows), "lists": rows}))


def scores_of(rows: list[dict[str, Any]], skill: float, seed: int) -> np.ndarray:
    """Noise, and `skill` more for the target; shape (lists, candidates)."""
    rng = np.random.default_rng(seed)
    target = np.array([[item == row["target"] for item in row["candidates"]] for row in rows])
    return rng.normal(size=target.shape) + skill * target


def predictions(rows: list[dict[str, Any]], scores: np.ndarray) -> pd.DataFrame:
    """A predictions table."""
    return pd.DataFrame(
        {
            "id": [row["id"] for row in rows for _ in row["candidates"]],
            "item": [item for row in rows for item in row["candidates"]],
            "score": scores.ravel(),
        }
    )


def write_predictions(rows: list[dict[str, Any]], scores: np.ndarray, target: Path) -> None:
    """Write a predictions table."""
    target.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(
        predictions(rows, scores), PREDICTIONS_SCHEMA, preserve_index=False
    )
    pq.write_table(table, target)


def write(rows: list[dict[str, Any]], schema: pa.Schema, target: Path) -> None:
    """Write rows as Parquet."""
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), target)
