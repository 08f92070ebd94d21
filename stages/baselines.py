"""Score the evaluation set by predictors without a language model.

Reads   params: baselines; data/raw/train, data/processed/candidates_test.parquet
Writes  data/predictions/{random,popularity}.parquet
Run     dvc repro baselines      (alone: python -m stages.baselines)
"""

from pathlib import Path

import pandas as pd

from newsrec.baselines import popularity_scores, random_scores
from newsrec.errors import run_stage
from newsrec.params import load_params
from newsrec.predictions import KEYS, write_predictions

PREDICTIONS = Path("data/predictions")


def main() -> None:
    baselines = load_params().baselines
    candidates = pd.read_parquet(
        "data/processed/candidates_test.parquet", columns=[*KEYS, "label", "category"]
    )
    scores = {
        "random": random_scores(len(candidates), baselines.seed),
        "popularity": popularity_scores(candidates, Path("data/raw/train"), baselines.smoothing),
    }
    for name, score in scores.items():
        write_predictions(candidates, score, PREDICTIONS / f"{name}.parquet")
    print(f"baselines: {', '.join(scores)} on {len(candidates):,} candidates, in {PREDICTIONS}")


if __name__ == "__main__":
    run_stage(main)
