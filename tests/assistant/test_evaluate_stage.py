"""The stage evaluate on planted answers: what it writes, and what it refuses."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from newsrec.errors import UserError
from newsrec.files import read_json
from stages.assistant import baselines, evaluate, judge
from tests.assistant.planted import (
    LABELS,
    TASKS,
    right,
    rows_of,
    shuffled,
    write_answers,
    write_rows,
    write_tree,
)

pytestmark = pytest.mark.slow

TEST = rows_of(12, "t")
NAMES = ("evaluate", "slices", "confusion")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve test rows of each of four tasks, and the answers of every system."""
    write_tree(tmp_path, TEST)
    monkeypatch.chdir(tmp_path)
    baselines.main()
    judge.main()
    return tmp_path


def written() -> dict[str, Any]:
    return {name: json.loads(Path(f"metrics/{name}.json").read_text()) for name in NAMES}


def change(file: str, **values: Any) -> None:
    found = read_json(Path(file))
    Path(file).write_text(json.dumps(found | values))


def leaves(values: Any) -> Iterator[Any]:
    if isinstance(values, dict):
        for value in values.values():
            yield from leaves(value)
    elif isinstance(values, list):
        for value in values:
            yield from leaves(value)
    else:
        yield values


def test_evaluate_writes_the_planted_figures_of_every_task_and_system(tree: Path) -> None:
    evaluate.main()
    found = written()
    assert set(found["evaluate"]) == {"protocol", "left_out", "tasks", "judge"}
    tasks = found["evaluate"]["tasks"]
    assert list(tasks) == list(TASKS)
    assert [task["primary"] for task in tasks.values()] == ["accuracy", "chrf", "exact", "accuracy"]
    assert [sorted(task["systems"]) for task in tasks.values()] == [
        ["base", "majority", "tfidf", "tuned"],
        ["base", "nearest", "tuned"],
        ["base", "pattern", "tuned"],
        ["base", "majority", "tfidf", "tuned"],
    ]
    for name, task in tasks.items():
        assert (task["answer"], task["num_rows"]) == (TASKS[name].answer, 12)
        assert set(task["gains"]) == set(task["systems"]) - {"tuned"}
        best = task["systems"]["tuned"][task["primary"]]
        assert best["value"] == best["high"] == (100 if name == "reply" else 1)
        gain = task["gains"]["base"][task["primary"]]
        assert gain["value"] == best["value"] - task["systems"]["base"][task["primary"]]["value"]
        assert gain["low"] > 0
    scene, name = tasks["scene"]["systems"], tasks["name"]["systems"]
    assert scene["majority"]["accuracy"]["value"] == pytest.approx(1 / 3)
    assert scene["majority"]["macro_f1"]["value"] == pytest.approx((2 * 4 / 16) / 3)
    assert scene["base"]["outside"]["value"] == name["base"]["invented"]["value"] == 1
    assert name["base"]["none_right"]["value"] == name["tuned"]["invented"]["value"] == 0
    assert name["pattern"]["none_right"]["value"] == 1
    matrices = found["confusion"]
    assert list(matrices) == ["scene", "mood"]
    assert matrices["scene"]["base"] == {"labels": [*LABELS], "rows": [[0, 0, 0, 4]] * 3}
    assert matrices["mood"]["tuned"]["rows"] == [[6, 0, 0], [0, 6, 0]]
    typo = [one for one in found["slices"] if one["slice"] == "typo" and one["system"] == "tuned"]
    assert [(one["task"], one["value"], one["num_rows"]) for one in typo] == [("scene", 1, 9)]
    assert {one["task"] for one in found["slices"]} == set(TASKS)
    numbers = [one for one in leaves(found) if isinstance(one, int | float)]
    assert all(math.isfinite(one) for one in numbers)


def test_the_protocol_says_what_was_measured_on_what(tree: Path) -> None:
    evaluate.main()
    assert read_json(Path("metrics/evaluate.json"))["protocol"] == {
        "data": "made up",
        "tasks": "ab12",
        "method": "lora",
        "engine": "vllm",
        "intervals": "95 %, 30 resamples of clusters, seed 42; exact for a share of 0 or 1",
    }


def test_the_order_of_rows_in_a_predictions_file_changes_nothing(tree: Path) -> None:
    evaluate.main()
    before = written()
    for place, path in enumerate(sorted(Path("data/predictions").iterdir())):
        shuffled(path, seed=place)
    evaluate.main()
    assert written() == before


def test_a_task_left_out_of_training_is_scored_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, TEST, prepare={"leave_out": "reply"})
    train = [one for one in rows_of(12, "train") if one["task"] != "reply"]
    write_rows(train, tmp_path / "data/processed/train.parquet")
    monkeypatch.chdir(tmp_path)
    baselines.main()
    judge.main()
    evaluate.main()
    found = written()["evaluate"]
    assert found["left_out"] == "reply"
    assert sorted(found["tasks"]["reply"]["systems"]) == ["base", "tuned"]
    assert sorted(found["tasks"]["scene"]["systems"]) == ["base", "majority", "tfidf", "tuned"]


@pytest.mark.parametrize(
    ("file", "values", "expected"),
    [
        (
            "metrics/score_base.json",
            {"protocol": {"data": "other", "tasks": "ab12", "engine": "vllm"}},
            "data is 'made up' in data/processed and 'other' in metrics/score_base.json",
        ),
        (
            "data/processed/protocol.json",
            {"tasks": "cd34"},
            "tasks is 'cd34' in data/processed and",
        ),
        (
            "data/processed/protocol.json",
            {"split": "by hand"},
            "split is 'by hand' in data/processed and 'not there' in models/adapter",
        ),
    ],
)
def test_figures_of_two_protocols_are_refused(
    tree: Path, file: str, values: dict[str, Any], expected: str
) -> None:
    change(file, **values)
    with pytest.raises(UserError, match=expected):
        evaluate.main()
    assert not Path("metrics/evaluate.json").exists()


def test_another_engine_for_one_of_the_models_is_a_treatment(tree: Path) -> None:
    scored = read_json(Path("metrics/score_base.json"))["protocol"]
    change("metrics/score_base.json", protocol=scored | {"engine": "transformers"})
    evaluate.main()


def test_a_model_that_lacks_a_task_is_refused_and_nothing_is_written(tree: Path) -> None:
    some = [one for one in TEST if one["task"] != "mood"]
    write_answers(some, right(TEST), Path("data/predictions/tuned.parquet"))
    expected = r"tuned\.parquet: 12 rows of the test split have no answer, like 'mt0'"
    with pytest.raises(UserError, match=expected):
        evaluate.main()
    assert not Path("metrics/evaluate.json").exists()
