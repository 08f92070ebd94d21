"""The whole safety pipeline, once, on the tiny default, in a copy of this tree."""

import json
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from newsrec.safety.corpus.synthetic import documents
from newsrec.safety.labels import CLASSES
from tests.trees import ENV, check_reports, check_splits, run, run_pipeline

pytestmark = pytest.mark.slow

STAGES = {
    "fetch_model", "extract", "prepare", "train", "merge", "score@base", "score@tuned",
    "baselines", "audit", "evaluate", "report",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pipelines/safety in a copy, run once."""
    return run_pipeline(tmp_path_factory.mktemp("safety"), "safety", STAGES)


def metrics(folder: Path, name: str) -> dict:
    return json.loads((folder / f"metrics/{name}.json").read_text(encoding="utf-8"))


def test_the_tuned_model_is_better_than_words_alone(folder: Path) -> None:
    found = metrics(folder, "evaluate")
    assert found["tuned"]["macro_f1"] > 0.85
    assert found["tuned"]["macro_f1"] > found["tfidf"]["macro_f1"]
    assert found["tuned_vs_tfidf"]["macro_f1"]["low"] > 0
    assert found["base"]["macro_f1"] < 0.4
    assert found["majority"]["macro_f1"] < 0.2


def test_no_text_has_a_near_copy_in_another_split(folder: Path) -> None:
    check_splits(folder)


def test_labels_that_were_changed_are_found(folder: Path) -> None:
    corpus = yaml.safe_load((folder / "params.yaml").read_text("utf-8"))["extract"]["corpus"]
    made = documents(corpus["num_documents"], corpus["seed"])
    true = {one.id: one.true_label for one in made}
    rows = pd.read_parquet(folder / "data/processed/train.parquet")
    wrong = set(rows["id"][rows["label"] != rows["id"].map(true)])
    suspect = set(pd.read_parquet(folder / "data/audit.parquet")["id"])
    assert len(wrong) > 100
    # Measured: 0.80 and 0.905 (docs/LOG.md); the model differs a little by type of CPU.
    assert len(suspect & wrong) >= 0.75 * len(suspect)
    assert len(suspect & wrong) >= 0.85 * len(wrong)


def test_the_report_is_whole(folder: Path) -> None:
    check_reports(folder)


def test_nothing_runs_a_second_time(folder: Path) -> None:
    assert "up to date" in run(folder, "dvc", "repro")
    changed = run(folder, "git", "status", "--porcelain", ".").splitlines()
    assert {Path(line.split()[1]).name for line in changed} == {"dvc.lock", "metrics", "plots"}


def test_texts_are_classified(folder: Path, tmp_path: Path) -> None:
    test = pd.read_parquet(folder / "data/processed/test.parquet")[:20]
    words = ["newsrec", "classify", "--engine", "transformers"]
    (tmp_path / "texts").write_text("".join(f"{text}\n" for text in [*test["text"], ""]), "utf-8")
    run(folder, *words, "--file", tmp_path / "texts", "--output", tmp_path / "classes.jsonl")
    rows = [
        json.loads(line)
        for line in (tmp_path / "classes.jsonl").read_text("utf-8").split("\n")
        if line
    ]
    assert [row["text"] for row in rows] == [*test["text"], ""]
    assert rows[-1]["label"] is None
    tuned = pd.read_parquet(folder / "data/predictions/test/tuned.parquet")[:20]
    for row, (_, expected) in zip(rows, tuned.iterrows(), strict=False):
        assert row["unsafe"] == pytest.approx(1 - expected["p0"], abs=1e-4)
        assert list(row["probabilities"]) == list(CLASSES)
    piped = subprocess.run(
        [*words, "-"], cwd=folder, env=ENV, capture_output=True, check=True,
        input=(tmp_path / "texts").read_bytes(),
    )  # fmt: skip
    assert piped.stdout == (tmp_path / "classes.jsonl").read_bytes()
    shown = run(folder, *words, test["text"].iloc[0])
    assert shown.splitlines()[1].split()[1] == rows[0]["label"]
    assert not (folder / ".work/classify").exists() or not any(
        (folder / ".work/classify").iterdir()
    )


def test_a_killed_classification_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    test = pd.read_parquet(folder / "data/processed/test.parquet")["text"]
    (tmp_path / "texts").write_text("".join(f"{text}\n" for text in [*test] * 3), "utf-8")
    words = ["newsrec", "classify", "--engine", "transformers", "--file", tmp_path / "texts"]
    run(folder, *words, "--output", tmp_path / "whole.jsonl")
    work = folder / ".work/classify"
    with subprocess.Popen(
        [*words, "--output", tmp_path / "killed.jsonl"], cwd=folder, env=ENV
    ) as one:
        gone_by = time.monotonic() + 120
        while len(found := parts(work)) < 2:
            assert one.poll() is None
            assert time.monotonic() < gone_by
            time.sleep(0.002)
        one.kill()
    assert not (tmp_path / "killed.jsonl").exists()
    answered = set(found.items())
    run_again = subprocess.Popen(
        [*words, "--output", tmp_path / "killed.jsonl"], cwd=folder, env=ENV
    )
    kept = False
    with run_again:
        while run_again.poll() is None:
            kept |= len(now := parts(work)) > len(answered) and answered <= set(now.items())
            time.sleep(0.002)
    assert run_again.returncode == 0
    assert kept, "what was answered was answered again"
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not list(tmp_path.glob(".*"))  # no draft of the run that was killed


def parts(work: Path) -> dict[str, int]:
    """Each batch of answers that is there, and when it was written."""
    found = {}
    for path in work.glob("*/transformers/*.parquet"):
        try:
            found[path.name] = path.stat().st_mtime_ns
        except FileNotFoundError:  # removed at the end
            continue
    return found
