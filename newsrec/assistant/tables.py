"""The tables between the stages: their columns and names."""

import pyarrow as pa

SAMPLES = "assistant"  # the data sets assistant_train and assistant_val for LLaMA-Factory
SPLITS = ("train", "val", "test")

# Rows of a split, in data/processed. `task` is a name of the table of tasks; `tags` are for slices;
# near copies share a cluster, which lies in one split.
ROWS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("input", pa.string()),
        ("output", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("cluster", pa.int64()),
    ]
)
# What a system answers to rows of the test split, in data/predictions: `input` is that of the row,
# `output` its own text, `choice` the label it picks where only labels are allowed, null for tasks
# without labels. A system that does not know a task has no rows of it.
PREDICTIONS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("input", pa.string()),
        ("output", pa.string()),
        ("choice", pa.string()),
    ]
)

BASELINES = ("majority", "tfidf", "nearest", "pattern")

TOPS = {"chrf": 100.0}  # of metrics whose highest value is not 1
# Of the test rows of a task, for a verdict: fewer never reject at 5 %, whatever they show (see
# `newsrec.metrics.intervals.careful_gain`).
MIN_CLUSTERS = 6
