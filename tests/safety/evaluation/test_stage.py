"""The stages `baselines` and `evaluate` on made-up rows and predictions."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.safety.labels import CLASSES
from newsrec.safety.predictors import PREDICTORS
from stages.safety import baselines, evaluate
from tests.safety import fake
from tests.safety.values import write_params

pytestmark = pytest.mark.slow


def leaves(values: Any) -> Iterator[Any]:
    if isinstance(values, dict):
        for value in values.values():
            yield from leaves(value)
    else:
        yield values


def test_evaluate_writes_finite_figures_of_every_predictor_and_plots(tree: Path) -> None:
    evaluate.main()
    found = {
        name: read_json(tree / f"metrics/{name}.json")
        for name in ("evaluate", "classes", "thresholds", "slices", "evasion")
    }
    for values in found.values():
        protocol = values.pop("protocol")
        kinds = ("data", "test_data", "train_data")
        assert [protocol[kind] for kind in kinds] == ["made up", "ab12", "cd34"]
        numbers = [*leaves(values)]
        assert all(type(one) in (int, float) and math.isfinite(one) for one in numbers)
    figures = found["evaluate"]
    assert set(PREDICTORS) < set(figures)
    for name in PREDICTORS:
        for key, value in figures[name].items():
            if f"{key}_low" in figures[name]:
                low, high = figures[name][f"{key}_low"], figures[name][f"{key}_high"]
                assert low - 1e-9 <= value <= high + 1e-9
        confusion = [found["classes"][name][one]["predicted"].values() for one in CLASSES]
        assert sum(map(sum, confusion)) == 180
    assert figures["tuned"]["macro_f1"] > figures["tfidf"]["macro_f1"] + 0.1
    assert figures["tuned_vs_tfidf"]["macro_f1"]["low"] > 0
    assert figures["majority"]["unsafe_recall_at_5"] == 0
    assert figures["tuned"]["unsafe_recall_at_5"] > 0.5
    # Made-up texts are of few words: some are near copies though their clusters differ.
    assert {one["num_clusters"] for one in figures["leak_gate"].values()} == {0}
    assert figures["leak_gate"]["train_test"]["num_near_copies"] > 0
    assert set(found["slices"]["tag"]) == set(fake.TAGS)
    assert found["evasion"]["tuned"]["emoji"]["recall_change"] < -0.02
    plots = {path.stem: pd.read_csv(path, sep="\t") for path in (tree / "plots").iterdir()}
    assert set(plots) == {
        *("loss_train", "loss_val", "macro_f1_val"),
        *(f"pr_{name}" for name in PREDICTORS),
        *(f"{kind}_{name}" for kind in ("reliability", "confusion") for name in ("base", "tuned")),
    }
    assert set(plots["pr_tuned"]["class"]) == {"unsafe", *CLASSES}
    assert len(plots["confusion_tuned"]) == 180
    text = (tree / "data/classification_report.txt").read_text()
    assert text.count("macro avg") == len(PREDICTORS)
    assert text.count("政治安全") == len(PREDICTORS)


def test_precision_is_for_the_share_of_benign_texts_that_is_given(tree: Path) -> None:
    found = []
    for share in (None, 0.99, 0.9):
        evaluating = {"num_resamples": 5, "seed": 1, "benign_share": share}
        write_params(tree, baselines={"num_keywords": 5}, evaluate=evaluating)
        evaluate.main()
        found.append(read_json(tree / "metrics/evaluate.json"))
    assert [one["benign_share"] for one in found] == [0.9, 0.99, 0.9]  # of the source: 0.9
    assert [one["protocol"]["benign_share"] for one in found] == [
        "as in the labelled source",
        *["as set in evaluate.benign_share"] * 2,
    ]  # fmt: skip
    precision = [one["tuned"]["precision_at_real_share_at_5"] for one in found]
    assert precision[0] == precision[2] > precision[1] > 0


def test_evaluate_refuses_a_cluster_in_two_splits(tree: Path) -> None:
    fake.write_rows(fake.rows(120, 1, first_cluster=1950), tree / "data/processed/train.parquet")
    with pytest.raises(UserError, match="58 clusters of near copies are in both train and test"):
        evaluate.main()
    assert not (tree / "metrics/evaluate.json").exists()


def test_evaluate_refuses_a_test_without_benign_rows(tree: Path) -> None:
    rows = fake.rows(180, seed=3, first_cluster=2000)
    fake.write_rows(rows.assign(label="暴恐"), tree / "data/processed/test.parquet")
    with pytest.raises(UserError, match="test: 0 of 180 rows are 正常"):
        evaluate.main()


def test_baselines_write_what_evaluate_reads(tree: Path) -> None:
    baselines.main()
    evaluate.main()
    figures = read_json(tree / "metrics/evaluate.json")
    assert figures["tfidf"]["accuracy"] > 0.8 > 0.3 > figures["majority"]["accuracy"]
    words = json.loads((tree / "data/keywords.json").read_text())
    found = read_json(tree / "metrics/baselines.json")
    assert found["num_keywords"] == sum(map(len, words.values())) > 0
    assert found["num_train_rows"] == 120
