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
        assert task["num_clusters"] == 12
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
        "intervals": "95 %, 30 resamples of clusters, seed 42; of shares exact, by the effective "
        "number of clusters; others no narrower than by exact bounds",
    }


def test_choices_count_only_where_both_models_have_them(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The base chooses rightly where it must, and writes something else; of `mood` tuned has none.
    answers = {
        one["id"]: ("不知道", one["output"] if TASKS[one["task"]].labels else None) for one in TEST
    }
    write_answers(TEST, answers, Path("data/predictions/base.parquet"))
    wrong = {one["id"]: ("急", None) for one in TEST if one["task"] == "mood"}
    write_answers(TEST, right(TEST) | wrong, Path("data/predictions/tuned.parquet"))
    evaluate.main()
    assert capsys.readouterr().err.count("only one of base and tuned picked labels") == 1
    tasks = written()["evaluate"]["tasks"]
    assert {name: task["by_text"] for name, task in tasks.items()} == {
        "scene": False, "reply": False, "name": False, "mood": True,
    }  # fmt: skip
    accuracy = {
        (name, system): tasks[name]["systems"][system]["accuracy"]["value"]
        for name in ("scene", "mood")
        for system in ("base", "tuned")
    }
    assert accuracy == {
        ("scene", "base"): 1, ("scene", "tuned"): 1, ("mood", "base"): 0, ("mood", "tuned"): 0.5
    }  # fmt: skip
    assert tasks["mood"]["systems"]["tfidf"]["accuracy"]["value"] > 0.5


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


def test_external_answers_are_measured_beside_the_others_on_the_same_rows(tree: Path) -> None:
    evaluate.main()
    before = written()["evaluate"]["tasks"]
    outside = tree / "data/outside"
    outside.mkdir()
    (outside / "README.md").write_text("what lies here")
    # Right on all rows of two tasks, and on all but one.
    some = [one for one in TEST if one["task"] in ("scene", "reply")]
    answers = right(some)
    first = next(one["id"] for one in some if one["task"] == "scene")
    answers[first] = ("不知道", None)
    write_answers(some, answers, outside / "all_tasks.parquet")
    shuffled(outside / "all_tasks.parquet", seed=1)
    evaluate.main()
    tasks = written()["evaluate"]["tasks"]
    scene = tasks["scene"]
    assert scene["systems"]["all_tasks"]["accuracy"]["value"] == pytest.approx(11 / 12)
    assert scene["gains"]["all_tasks"]["accuracy"]["value"] == pytest.approx(1 / 12)
    assert tasks["reply"]["gains"]["all_tasks"]["chrf"]["value"] == 0
    for task in tasks.values():
        for part in ("systems", "gains"):
            task[part].pop("all_tasks", None)
    assert tasks == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("all tasks.parquet", r"cannot become the system 'all tasks'; expected letters"),
        (
            "tfidf.parquet",
            r"the system 'tfidf'; .* other than base, majority, nearest, pattern, tfidf, tuned;",
        ),
        ("answers.csv", r"answers\.csv: cannot be read as answers; expected files NAME\.parquet"),
        ("old.parquet", r"old\.parquet: 1 rows of the test split have no answer, like 's"),
    ],
)
def test_external_answers_that_cannot_be_used_are_refused(
    tree: Path, name: str, message: str
) -> None:
    (tree / "data/outside").mkdir()
    some = [one for one in TEST if one["task"] == "scene"]
    write_answers(some[1:], right(some), tree / "data/outside" / name)
    with pytest.raises(UserError, match=message):
        evaluate.main()


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
