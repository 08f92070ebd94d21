"""The stage from files to files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from newsrec.errors import UserError
from stages.ranker import evaluate
from tests.ranker import made_lists
from tests.ranker.made_tree import write_tree

pytestmark = pytest.mark.slow

SYSTEMS = ["base", "sft", "random", "popularity"]  # beside the methods that were trained


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["evaluate", *SYSTEMS])
    return tmp_path


def read(tree: Path, name: str) -> dict:
    return json.loads((tree / f"metrics/{name}.json").read_text())


def test_every_system_is_measured_on_the_same_lists(tree: Path) -> None:
    evaluate.main()
    found = read(tree, "evaluate")
    assert list(found["systems"]) == ["exact", "softmax", "sft", "base", "random", "popularity"]
    assert found["protocol"]["data"] == "made up"
    assert (found["num_lists"], found["num_users"], found["num_candidates"]) == (80, 30, 20)
    of_exact = found["systems"]["exact"]
    assert set(of_exact["ndcg_at_10"]) == {"value", "low", "high"}
    assert {"expected_ndcg_at_10", "sampled_ndcg_at_10", "tie_rate", "hr_at_5"} <= set(of_exact)
    assert "expected_ndcg_at_10" not in found["systems"]["popularity"]  # no logits
    assert len(found["pairs"]) == 15
    assert "expected_ndcg_at_10" in found["pairs"]["exact vs sft"]
    assert found["pairs"]["exact vs sft"]["ndcg_at_10"]["low"] > 0
    assert "expected_ndcg_at_10" not in found["pairs"]["exact vs popularity"]
    slices = read(tree, "slices")
    assert set(slices) == {"protocol", "history", "target", "popularity", "category"}
    probes = read(tree, "probes")
    assert list(probes["wrong_history"]) == ["exact"]
    assert probes["candidate_alone"] == {}
    assert {"sft", "exact", "target"} <= set(probes["popularity"])
    curves = pd.read_csv(tree / "plots/learning_curves.tsv", sep="\t")
    assert list(curves["method"].unique()) == ["exact", "softmax"]


def test_every_method_that_was_trained_is_measured(tree: Path) -> None:
    methods = ("exact", "softmax", "group", "ppo")
    write_tree(tree, methods=methods)
    evaluate.main()
    found = read(tree, "evaluate")
    assert list(found["systems"]) == [*methods, "sft", "base", "random", "popularity"]
    assert "expected_ndcg_at_10" in found["pairs"]["group vs ppo"]
    curves = pd.read_csv(tree / "plots/learning_curves.tsv", sep="\t")
    assert tuple(curves["method"].unique()) == methods


def test_equal_files_give_equal_bytes(tree: Path) -> None:
    evaluate.main()
    first = {path: path.read_bytes() for path in (tree / "metrics").glob("*.json")}
    evaluate.main()
    assert {path: path.read_bytes() for path in (tree / "metrics").glob("*.json")} == first


def test_a_system_of_other_lists_is_refused(tree: Path) -> None:
    rows = made_lists.lists(80, seed=9)
    scores = made_lists.scores_of(rows, 1.0, 1)
    made_lists.write_predictions(rows, scores, tree / "data/predictions/sft.parquet")
    with pytest.raises(UserError, match=r"sft.parquet: list s2-0, .* has no score"):
        evaluate.main()


def test_the_temperature_leaves_the_greedy_order_as_it_is(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate.main()
    cool = read(tree, "evaluate")["systems"]["exact"]
    write_tree(tree, temperature=3.0)
    evaluate.main()
    warm = read(tree, "evaluate")["systems"]["exact"]
    assert warm["ndcg_at_10"] == cool["ndcg_at_10"]
    assert warm["expected_ndcg_at_10"]["value"] < cool["expected_ndcg_at_10"]["value"]
    assert np.isfinite(warm["sampled_ndcg_at_10"]["value"])
