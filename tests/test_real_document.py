"""docs/results.md is what `make real` writes, and what a run has recorded of itself is in it."""

import json
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from benchmarks import real
from newsrec.models.names import MODELS
from tests import ROOT


def test_the_document_has_all_that_the_template_says() -> None:
    text = (ROOT / real.DOCUMENT).read_text(encoding="utf-8")
    for literal, *_ in Formatter().parse(real._DOCUMENT):
        assert literal in text
        _, _, text = text.partition(literal)
    assert text == ""


def test_a_run_fills_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    figures = {"auc": 0.5, "auc_low": 0.4, "auc_high": 0.6, "mrr": 0.2, "ndcg_at_5": 0.2}
    figures |= {"ndcg_at_10": 0.3, "accuracy": 0.5}
    counts = {"num_impressions": 1234, "num_users": 80, "num_candidates": 4236}
    change = {"delta": 0.1, "low": 0.05, "high": 0.15, "p": 0.01}
    metrics: dict[str, Any] = dict.fromkeys((*MODELS, "tfidf"), figures | counts)
    for name in ("base", "tfidf"):
        metrics[f"tuned_vs_{name}"] = {"auc": change, "detectable_auc": 0.04}
    metrics["protocol"] = {"split": "by_time"}
    made_by = {"commit": "0123456789", "uncommitted_changes": False, "cpu": "Xeon", "gpus": ["L4"]}
    for path, values in {
        "metrics/train.json": {"num_steps": 150, "num_epochs": 1, "seconds": 1800.0},
        "metrics/preprocess.json": {"train": {"num_samples": 1200}},
        "metrics/timings/train.json": {"provenance": made_by},
        "metrics/timings/score_base.json": {"seconds": 600.0},
        "metrics/timings/score_tuned.json": {"seconds": 660.0},
        "models/adapter/adapter_config.json": {"r": 8},
    }.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(values))
    text = real.document(metrics)
    assert (
        "\nTrained and scored by commit 0123456, on Xeon, L4: training 30 min, scoring `base` 10 "
        "min, scoring `tuned` 11 min.\n"
    ) in text
    assert "1,234 test impressions of\n80 users" in text
    assert "- `tfidf`: +0.1000 (+0.0500 to +0.1500), p = 0.010" in text
    assert "150 steps of 8 samples" in text
