"""Made-up labelled texts for classifiers, and the arguments of a training on them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.training.labelled import LabelledTexts
from tests.training.conftest import OPTIONS, RECIPE

CLASSES = ("差", "一般", "好")
_WORDS = {"差": ("冷", "晚"), "一般": ("平常", "还行"), "好": ("暖", "棒")}
_THINGS = ("汤", "房间", "茶", "面")


def reviews() -> list[tuple[str, str]]:
    """120 texts and their classes, in turn; the last word determines the class."""
    return [
        (f"{place}的{thing}很{word}", name)
        for place in ("罗马", "奥斯陆", "利马", "波恩", "科克")
        for thing in _THINGS
        for at in range(2)
        for name, words in _WORDS.items()
        for word in [words[at]]
    ]


def write_texts(path: Path, rows: list[tuple[str, str]]) -> Path:
    """A Parquet file of texts and labels."""
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"words": list(texts), "rating": list(labels)}), path)
    return path


def write_reviews(folder: Path) -> LabelledTexts:
    """48 texts to train on, 13 to validate on: what two processes cannot share out evenly."""
    rows = reviews()
    train = write_texts(folder / "train.parquet", rows[:48])
    # Most of one class, so that a row that is counted twice changes the macro-F1.
    val = write_texts(
        folder / "val.parquet", rows[-7:] + [row for row in rows if row[1] == "好"][-6:]
    )
    return LabelledTexts(train, val, "words", "rating", CLASSES)


def training(base: Path, samples: LabelledTexts, place: Path, **changes: Any) -> dict[str, Any]:
    """The arguments of `fine_tune_classifier`: 36 steps, enough for a kill to come between."""
    method, options = OPTIONS["lora"]
    (place / "adapter").mkdir(parents=True, exist_ok=True)
    return {
        **RECIPE,
        "base": base,
        "samples": samples,
        "work": place / "work",
        "target": place / "adapter",
        "method": method,
        "options": options,
        "class_weights": "balanced",
        "scheduler": "linear",
        "epochs": 3.0,
        "early_stopping": None,
        **changes,
    }
