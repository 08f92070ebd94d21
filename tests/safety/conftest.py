"""A folder of the pipeline with made-up rows and predictions; a real server with documents."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from newsrec.errors import UserError
from newsrec.safety.predictors import PREDICTORS, write_probabilities
from newsrec.safety.sources.embedded import mongodb_python, serve, stored
from newsrec.safety.sources.mongodb import Connection, Fields
from newsrec.safety.tables import PROBABILITIES
from tests.safety import fake
from tests.safety.planted import texts
from tests.safety.values import write_params

STRENGTHS = {"tuned": 3.0, "base": 0.7, "tfidf": 1.8, "keywords": 1.2, "majority": 0.0}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `evaluate` reads; the working directory."""
    write_params(  # small, to be quick
        tmp_path,
        baselines={"num_keywords": 5},
        evaluate={"num_resamples": 50, "seed": 1},
        report={"num_mistakes": 4, "num_suspects": 5},
    )
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
        "train": {
            "method": "lora",
            "num_steps": 20,
            "kept_step": 20,
            "protocol": {"data": "made up, 12"},
        },
        "audit": {
            "method": "a made-up model",
            "suspect_below": 0.1,
            "num_rows": 120,
            "num_suspect": 2,
        },
    }
    (tmp_path / "plots").mkdir()
    for name in ("train", "val"):
        (tmp_path / f"plots/loss_{name}.tsv").write_text("step\tloss\n10\t1.5\n20\t0.8\n")
    (tmp_path / "plots/macro_f1_val.tsv").write_text("step\tmacro_f1\n10\t0.6\n20\t0.7\n")
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


FIELDS = Fields("text_cn", "n_labels", "tags")


@pytest.fixture(scope="session")
def server_python() -> Path:
    """The Python of the server's environment."""
    try:
        return mongodb_python()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def collection(
    server_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """600 documents, then some with several labels in each form, of another one or none."""
    documents = [stored(one, FIELDS) for one in texts(600, seed=5)]
    documents += [
        {"_id": "list", "text_cn": "列表", "n_labels": ["歧视", "暴恐"]},
        {"_id": "joined", "text_cn": "连写", "n_labels": "歧视,暴恐"},
        {"_id": "in_list", "text_cn": "列表里", "n_labels": ["正常", "歧视,暴恐"]},
        {"_id": "other", "text_cn": "其他", "n_labels": "广告"},
        {"_id": 7, "text_cn": 7, "n_labels": "正常"},
        {"text_cn": "_x000D_", "n_labels": "正常", "nested": {"label": "暴恐"}},
        {"_id": "none", "text_cn": "没有"},
        {"_id": "null", "text_cn": "没有", "n_labels": None},
        {"_id": "empty", "text_cn": "没有", "n_labels": ""},
        {"_id": "empty_list", "text_cn": "没有", "n_labels": []},
        {"_id": "of_empty", "text_cn": "没有", "n_labels": ["", "广告"]},
    ]
    with serve(documents, tmp_path_factory.mktemp("server")) as connection:
        yield connection
