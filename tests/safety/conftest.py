"""A folder of the pipeline with made-up rows and predictions."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from newsrec.safety.predictors import PREDICTORS, PROBABILITIES, write_probabilities
from tests import ROOT
from tests.safety import fake

STRENGTHS = {"tuned": 3.0, "base": 0.7, "tfidf": 1.8, "keywords": 1.2, "majority": 0.0}
SECTIONS = {
    "classifier": {"class_weights": "none"},
    "baselines": {"num_keywords": 5},
    "audit": {"seed": 1},
    "evaluate": {"num_resamples": 50, "seed": 1},
    "report": {"num_mistakes": 4, "num_suspects": 5},
}
SHARED = ("fetch_model", "model", "train", "merge", "score")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `evaluate` reads; the working directory."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params = {name: params[name] for name in SHARED} | SECTIONS
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    splits = {
        "train": fake.rows(120, seed=1),
        "val": fake.rows(150, seed=2, first_cluster=1000),
        "test": fake.rows(180, seed=3, first_cluster=2000),
    }
    splits["evasion"] = fake.evasion(splits["test"])
    for name, rows in splits.items():
        fake.write_rows(rows, tmp_path / f"data/processed/{name}.parquet")
        for place, predictor in enumerate(PREDICTORS):
            if name == "train":
                continue
            strength = STRENGTHS[predictor] * (0.4 if name == "evasion" else 1)
            of = fake.predictions(rows, strength, seed=10 + place)
            if predictor == "majority":
                of[PROBABILITIES] = np.full(6, 1 / 6)
            target = tmp_path / f"data/predictions/{name}/{predictor}.parquet"
            write_probabilities(rows, of[PROBABILITIES].to_numpy(), target)
    metrics = {
        "extract": {"share_benign_in_source": 0.9, "num_documents": 500},
        "prepare": {"protocol": {"data": "made up"}, "train": {"num_rows": 120}},
        "score_tuned": {"protocol": {"data": "ab12", "engine": "transformers"}},
        "fetch_model": {"source": "tiny", "num_parameters": 400_000, "digest": "ab12"},
        "train": {"method": "lora", "num_steps": 20, "protocol": {"data": "made up, 12"}},
        "audit": {"method": "a made-up model", "num_rows": 120, "num_suspect": 2},
    }
    (tmp_path / "plots").mkdir()
    for name in ("train", "val"):
        (tmp_path / f"plots/loss_{name}.tsv").write_text("step\tloss\n10\t1.5\n20\t0.8\n")
    suspects = splits["train"].iloc[:2].assign(suggested="暴恐", quality=[0.01, 0.2])
    columns = ["id", "label", "suggested", "quality"]
    suspects[columns].to_parquet(tmp_path / "data/audit.parquet")
    (tmp_path / "metrics").mkdir()
    for name, found in metrics.items():
        (tmp_path / f"metrics/{name}.json").write_text(json.dumps(found))
    (tmp_path / "models/adapter").mkdir(parents=True)
    (tmp_path / "models/adapter/protocol.json").write_text('{"method": "lora", "data": "cd34"}')
    monkeypatch.chdir(tmp_path)
    return tmp_path
