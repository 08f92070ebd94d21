"""The tables between the stages: their splits, sets and columns."""

import pyarrow as pa

from newsrec.safety.labels import CLASSES

SPLITS = ("train", "val", "test")  # train first: the others are compared with it
# What is scored: two splits, and test rows rewritten by tricks.
SETS = ("test", "val", "evasion")

TEXT = "normalised"  # the column that models read
PROBABILITIES = [f"p{id_}" for id_ in range(len(CLASSES))]

RAW_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("label", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("cluster", pa.int64()),
    ]
)
SCHEMA = RAW_SCHEMA.append(pa.field(TEXT, pa.string()))
