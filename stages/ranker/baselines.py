"""Score the test lists by systems without a language model.

Reads   params: baselines; of data/processed items.parquet, purchases.parquet,
        purchases_later.parquet and test.parquet; metrics/prepare.json
Writes  data/predictions/NAME.parquet, metrics/baselines.json
Run     dvc repro baselines      (alone: python -m stages.ranker.baselines)
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from newsrec.files import read_json, write_json
from newsrec.params.load import load_params
from newsrec.ranker.baselines.arrays import Lists, read_lists, read_purchases, write_predictions
from newsrec.ranker.baselines.neighbours import bm25_scores, itemknn_scores
from newsrec.ranker.baselines.sasrec import sasrec_scores, train_sasrec
from newsrec.ranker.baselines.simple import popularity_scores, random_scores, rating_number_scores
from newsrec.ranker.lists import read_items
from newsrec.ranker.params import Params
from newsrec.running.stage import run_stage

DATA = Path("data/processed")
PREDICTIONS = Path("data/predictions")


def main() -> None:
    settings = load_params(Params).baselines
    items = list(read_items(DATA / "items.parquet").values())
    ids = [row["item"] for row in items]
    train = read_purchases(DATA / "purchases.parquet", ids)
    later = read_purchases(DATA / "purchases_later.parquet", ids)
    sasrec = train_sasrec(
        train,
        len(ids),
        epochs=settings.sasrec_epochs,
        max_users=settings.sasrec_max_users,
        seed=settings.seed,
    )
    systems: dict[str, Callable[[Lists], np.ndarray]] = {
        "random": lambda lists: random_scores(lists, settings.seed),
        "popularity": lambda lists: popularity_scores(lists, [train, later]),
        "rating_number": lambda lists: rating_number_scores(lists, items),
        "bm25": lambda lists: bm25_scores(lists, items),
        "itemknn": lambda lists: itemknn_scores(lists, train),
        "sasrec": lambda lists: sasrec_scores(sasrec, lists),
    }
    lists = read_lists(DATA / "test.parquet", ids)
    for name, score in systems.items():
        write_predictions(lists, score(lists), PREDICTIONS / f"{name}.parquet")
    write_json(
        Path("metrics/baselines.json"),
        {
            "protocol": read_json(Path("metrics/prepare.json"))["protocol"],
            "sasrec": {
                "num_parameters": sum(part.numel() for part in sasrec.network.parameters()),
                "num_users": sasrec.num_users,
                "loss": sasrec.loss,
            },
        },
    )
    print(f"baselines: {', '.join(systems)} on {len(lists):,} lists, in {PREDICTIONS}")


if __name__ == "__main__":
    run_stage(main)
