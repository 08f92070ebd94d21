"""A fifth task is an entry of tasks.yaml and a file of rows: no code, through every stage.

Then one is left out of training, and what that costs is shown.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from newsrec.params.compose import compose
from tests.trees import commit, copy_tree, run

pytestmark = pytest.mark.slow

SMALL = [
    "engine=transformers",
    "fetch_model.tiny.hidden_size=32",
    "fetch_model.tiny.num_layers=1",
    "fetch_model.tiny.num_key_value_heads=1",
    "fetch_model.tiny.induction_heads=false",
    "fetch_model.tiny.steps=20",
    "prepare.corpus.num_rows=40",
    "train.max_steps=4",
    "train.save_steps=2",
    "train.logging_steps=1",
    "evaluate.num_resamples=20",
]
ENTRY = """
  - name: urgency
    instruction: "任务: 紧急程度"
    answer: labels
    labels: [紧急, 不紧急]
"""
TEXTS = {
    "train": ("马上要用", "下个月再说", "领导正在等结果", "随便哪天都行"),
    "val": ("今晚之前必须做完", "没想好要不要"),
    "test": ("十分钟后开会要看", "有空的时候看一眼就好"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pipelines/assistant in a copy, with one task more, run once."""
    tree = tmp_path_factory.mktemp("fifth") / "newsrec"
    copy_tree(tree)
    folder = tree / "pipelines/assistant"
    compose(folder / "params.yaml", SMALL, "assistant")
    commit(tree)
    with (folder / "tasks.yaml").open("a", encoding="utf-8") as stream:
        stream.write(ENTRY)
    rows = [
        {"input": text, "output": ("紧急", "不紧急")[number % 2], "split": split}
        for split, texts in TEXTS.items()
        for number, text in enumerate(texts)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "rows/urgency.jsonl").write_text(lines, encoding="utf-8")
    run(folder, "dvc", "repro")
    return folder


def test_nothing_but_the_table_and_the_file_was_written_by_hand(folder: Path) -> None:
    changed = run(folder, "git", "status", "--porcelain", "--no-renames", ".").splitlines()
    by_hand = {line.split()[1].removeprefix("pipelines/assistant/") for line in changed}
    made = {name for name in by_hand if name.startswith(("metrics/", "plots/", "dvc.lock"))}
    assert by_hand - made == {"tasks.yaml", "rows/urgency.jsonl"}


def test_it_is_trained_validated_scored_and_compared_like_the_others(folder: Path) -> None:
    losses = pd.read_csv(folder / "plots/loss_val_parts.tsv", sep="\t")
    assert list(losses) == ["step", "scenario", "kind", "answer", "file_name", "urgency"]
    task = json.loads((folder / "metrics/evaluate.json").read_text())["tasks"]["urgency"]
    assert set(task["systems"]) == {"base", "tuned", "majority", "tfidf"}
    assert (task["num_rows"], task["primary"]) == (2, "accuracy")
    tuned = pd.read_parquet(folder / "data/predictions/tuned.parquet").query("task == 'urgency'")
    assert set(tuned["choice"]) <= {"紧急", "不紧急"}


def test_the_report_has_a_section_on_it(folder: Path) -> None:
    page = (folder / "reports/report.html").read_text(encoding="utf-8")
    assert "任务: 紧急程度" in page
    assert "`urgency`" in (folder / "reports/summary.md").read_text(encoding="utf-8")


def evaluated(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics/evaluate.json").read_text())
    return found


def test_what_leaving_a_task_out_costs_is_measured_by_external_answers_and_shown(
    folder: Path,
) -> None:
    # The last of the file: it runs the pipeline again, as data/outside/README.md says.
    before, outside = evaluated(folder)["tasks"], folder / "data/outside/all_tasks.parquet"
    shutil.copy(folder / "data/predictions/tuned.parquet", outside)
    answers, rows = (
        pd.read_parquet(path) for path in (outside, folder / "data/processed/test.parquet")
    )
    # So small a model has learned nothing that it could lose.
    learned = answers["task"] == "answer"
    answers.loc[learned, "output"] = rows.loc[learned, "output"]
    answers.to_parquet(outside)
    compose(folder / "params.yaml", [*SMALL, "prepare.leave_out=answer"], "assistant")
    run(folder, "dvc", "repro")
    losses = pd.read_csv(folder / "plots/loss_val_parts.tsv", sep="\t")
    assert list(losses) == ["step", "scenario", "kind", "file_name", "urgency"]
    found = evaluated(folder)
    assert found["left_out"] == found["protocol"]["left_out"] == "answer"
    for name, task in found["tasks"].items():
        # The same answers to the same rows.
        if name != "answer":
            assert task["systems"]["all_tasks"] == before[name]["systems"]["tuned"]
        assert task["systems"]["base"] == before[name]["systems"]["base"]
    task = found["tasks"]["answer"]
    assert task["systems"]["all_tasks"]["chrf"]["value"] == 100
    lost = 100 - task["systems"]["tuned"]["chrf"]["value"]
    assert task["gains"]["all_tasks"]["chrf"]["value"] == pytest.approx(-lost)
    for name in ("report.html", "summary.md"):
        text = (folder / "reports" / name).read_text(encoding="utf-8")
        assert "answer was left out of training" in text
        shown = f"worse than the external system all_tasks (100.0): \u2212{lost:.1f}, 95 % interval"
        assert shown in text, name
