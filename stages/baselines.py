"""Score the evaluation set by predictors without a language model.

Reads   params: baselines; data/raw/train, data/raw/test (histories and titles),
        data/processed/candidates_test.parquet, data/processed/mind_train.jsonl,
        metrics/preprocess.json
Writes  data/predictions/NAME.parquet, metrics/baselines.json
Run     dvc repro baselines      (alone: python -m stages.baselines)
"""

from pathlib import Path

import pandas as pd

from newsrec.files import read_json, write_json
from newsrec.news.baselines.nrms import nrms_scores, train_nrms
from newsrec.news.baselines.probe import probe
from newsrec.news.baselines.simple import popularity_scores, random_scores
from newsrec.news.baselines.text import tfidf_scores
from newsrec.news.params import Params
from newsrec.news.predictions import KEYS, write_predictions
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage

TRAIN, TEST = Path("data/raw/train"), Path("data/raw/test")
SAMPLES = Path("data/processed/mind_train.jsonl")
CANDIDATES = Path("data/processed/candidates_test.parquet")
PREDICTIONS = Path("data/predictions")


def main() -> None:
    baselines = load_params(Params).baselines
    limit, seed = baselines.max_train_impressions, baselines.seed
    candidates = pd.read_parquet(CANDIDATES, columns=[*KEYS, "label", "time", "target", "category"])
    nrms = train_nrms(TRAIN, epochs=baselines.nrms_epochs, max_train_impressions=limit, seed=seed)
    protocol = read_json(Path("metrics/preprocess.json"))["protocol"]
    rule, of_rule = probe(SAMPLES, CANDIDATES, protocol["feedback"], limit)
    scores = {
        "random": random_scores(len(candidates), seed),
        "popularity": popularity_scores(
            candidates, TRAIN, baselines.smoothing, baselines.half_life_days
        ),
        "tfidf": tfidf_scores(candidates, TRAIN, TEST, limit, seed),
        "nrms": nrms_scores(nrms, candidates, TEST),
        "leak_probe": of_rule,
    }
    for name, score in scores.items():
        write_predictions(candidates, score, PREDICTIONS / f"{name}.parquet")
    write_json(
        Path("metrics/baselines.json"),
        {
            "protocol": protocol,
            "leak_probe": rule,
            "nrms": {
                "num_parameters": nrms.num_parameters,
                "num_words": len(nrms.word_ids),
                "num_clicks": nrms.num_clicks,
                "loss": nrms.loss,
            },
        },
    )
    print(
        f"baselines: {', '.join(scores)} on {len(candidates):,} candidates, in {PREDICTIONS}; "
        f"leak probe: {rule['rule']}"
    )


if __name__ == "__main__":
    run_stage(main)
