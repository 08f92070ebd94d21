"""A small labelled set and predictions of it: random, but structured as real ones are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import softmax

from newsrec.safety.labels import CLASSES
from newsrec.safety.predictors import codes
from newsrec.safety.tables import PROBABILITIES

TOPICS = (
    "天气晴朗出游",
    "那群人都低等",
    "代办假证批发",
    "煽动推翻本区",
    "制作炸药教程",
    "露骨图片私聊",
)
FILLER = "今天大家说起这件事情的时候都觉得应该多想一想再去回答别人提出来的问题"
TAGS = ("report-style", "long-range", "traditional", "evasive", "unlabelled-word")
ROWS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("normalised", pa.string()),
        ("label", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("cluster", pa.int64()),
    ]
)


def rows(num: int, seed: int, first_cluster: int = 0) -> pd.DataFrame:
    """A set of `num` texts: the topic gives the class away in nine of ten; some share a cluster."""
    rng = np.random.default_rng(seed)
    label = rng.integers(len(CLASSES), size=num)
    topic = np.where(rng.random(num) < 0.9, label, rng.integers(len(CLASSES), size=num))
    made = []
    for place in range(num):
        words = TOPICS[topic[place]]
        start, length = rng.integers(12), rng.integers(4, 22)
        made.append(FILLER[start : start + length] + words[: rng.integers(3, 7)] + f"{place}")
    tags = [[TAGS[place % 5]] if place % 3 == 0 else [] for place in range(num)]
    return pd.DataFrame(
        {
            "id": [f"{seed}-{place:04}" for place in range(num)],
            "text": [f"「{text}」" if place % 4 == 0 else text for place, text in enumerate(made)],
            "normalised": made,
            "label": [CLASSES[place] for place in label],
            "tags": tags,
            "cluster": first_cluster + np.arange(num) * 9 // 10,
        }
    )


def probabilities(label: pd.Series, strength: float, seed: int) -> np.ndarray:
    """Of each class, shape (rows, classes); the higher the strength, the more often right."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(label), len(CLASSES)))
    logits[np.arange(len(label)), codes(label)] += strength
    return np.asarray(softmax(1.5 * logits, axis=1))


def predictions(of: pd.DataFrame, strength: float, seed: int) -> pd.DataFrame:
    """A predictions table of a set."""
    keys = [name for name in ("id", "trick", "label", "cluster") if name in of]
    table = of[keys].reset_index(drop=True)
    table[PROBABILITIES] = probabilities(table["label"], strength, seed)
    return table


def evasion(of: pd.DataFrame) -> pd.DataFrame:
    """Two tricks on every other row."""
    some = of.iloc[::2]
    return pd.concat([some.assign(trick=name) for name in ("emoji", "pinyin")], ignore_index=True)


def write_rows(table: pd.DataFrame, target: Path) -> None:
    """As the stage `prepare` writes it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fields = [ROWS_SCHEMA.field(name) for name in ROWS_SCHEMA.names if name in table]
    if "trick" in table:
        fields.append(pa.field("trick", pa.string()))
    schema = pa.schema(fields)
    pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), target)
