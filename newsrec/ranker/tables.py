"""The tables between the stages: their columns and names."""

import pyarrow as pa

SAMPLES = "ranker"  # the data sets ranker_train and ranker_val for LLaMA-Factory
SPLITS = ("train", "val", "test")

# Products that are left after the rules, in data/processed/items.parquet. Figures that the site
# counted after the period are null where it gives none.
ITEMS_SCHEMA = pa.schema(
    [
        ("item", pa.string()),
        ("title", pa.string()),
        ("category", pa.string()),
        ("description", pa.string()),
        ("price", pa.float64()),
        ("average_rating", pa.float64()),
        ("rating_number", pa.int64()),
    ]
)
_EVENT = pa.struct([("item", pa.string()), ("rating", pa.float64()), ("timestamp", pa.int64())])
# A list to rank, in data/processed/{train,val,test}.parquet: what a user bought before (oldest
# first, of the window), and the candidates, one of which is the target. Timestamps are in ms.
LISTS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("user", pa.string()),
        ("timestamp", pa.int64()),
        ("history", pa.list_(_EVENT)),
        ("target", pa.string()),
        ("candidates", pa.list_(pa.string())),
    ]
)
# Purchases of the period of train, in data/processed/purchases.parquet, and later ones, in
# purchases_later.parquet, both in the order of time.
PURCHASES_SCHEMA = pa.schema(
    [
        ("user", pa.string()),
        ("item", pa.string()),
        ("rating", pa.float64()),
        ("timestamp", pa.int64()),
    ]
)
# What a system gives each candidate of a list, in data/predictions: higher is better; candidates in
# the order of the list.
PREDICTIONS_SCHEMA = pa.schema(
    [("id", pa.string()), ("item", pa.string()), ("score", pa.float64())]
)
