"""The whole graph, once, on the tiny default, in a copy of this tree."""

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from newsrec.errors import UserError
from newsrec.news.promote import promote
from newsrec.news.publish import publish
from newsrec.report.card import NOT_MEASURED
from tests.trees import ENV, commit, copy_tree, ran_stages, run, secrets_in

pytestmark = pytest.mark.slow


def metrics(tree: Path, name: str) -> dict:
    return json.loads((tree / f"metrics/{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole graph, run once."""
    tree = tmp_path_factory.mktemp("pipeline") / "newsrec"
    copy_tree(tree)
    commit(tree)
    run(tree, "dvc", "repro")
    return tree


def test_the_tiny_model_is_honest(tree: Path) -> None:
    found = metrics(tree, "evaluate")
    assert 0.45 <= found["base"]["auc"] <= 0.55
    assert found["tuned"]["auc"] >= found["base"]["auc"] + 0.10
    assert found["tuned_vs_base"]["auc"]["low"] > 0
    assert found["base"]["answer_mass"] > 0.9
    assert found["tuned"]["tie_rate"] < 0.01
    row_counts = metrics(tree, "preprocess")
    assert row_counts["shared"]["train_test"]["num_users"] == 0
    assert found["base"]["num_candidates"] == row_counts["test"]["num_scored"]


def test_predictors_answer_the_same_candidates(tree: Path) -> None:
    found = metrics(tree, "evaluate")
    rows = {name: row for name, row in found.items() if "num_candidates" in row}
    baselines = {"popularity", "tfidf", "nrms", "leak_probe", "random"}
    assert set(rows) == {"base", "tuned"} | baselines
    assert len({row["num_candidates"] for row in rows.values()}) == 1
    assert found["popularity"]["auc"] > found["random"]["auc"]


def test_the_merged_model_is_whole_and_checked(tree: Path) -> None:
    assert metrics(tree, "merge")["max_logit_difference"] <= 1e-3
    names = {path.name for path in (tree / "models/merged").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja", "config.json"} <= names
    for folder in ("base", "adapter", "merged"):
        pickles = [path for path in (tree / "models" / folder).rglob("*") if "bin" in path.suffix]
        assert pickles == []


@pytest.mark.parametrize("name", ["base", "tuned"])
def test_the_engine_was_compared_with_transformers(name: str, tree: Path) -> None:
    found = metrics(tree, f"check_engine_{name}")
    assert (found["engine"], found["dtype"]) == ("vllm", "float32")
    assert found["num_prompts"] == 9
    assert found["num_tokens"] >= 9
    assert 0 < found["max_difference"] <= found["tolerance"] == 1e-3


def test_the_report_is_there_and_says_that_the_model_is_tiny(tree: Path) -> None:
    assert "Tiny model" in (tree / "reports/summary.md").read_text(encoding="utf-8")
    assert "Tiny model" in (tree / "reports/report.html").read_text(encoding="utf-8")


def test_no_key_of_the_environment_is_in_a_file_of_the_run(tree: Path) -> None:
    files = [path for path in tree.rglob("*") if path.is_file()]
    folders = {path.relative_to(tree).parts[0] for path in files}
    assert {"params.yaml", "metrics", "reports", ".dvc", "models", "data"} <= folders
    assert not [path for path in files if secrets_in(path.read_bytes())]


def test_the_card_of_the_merged_model_names_what_it_was_made_of(tree: Path) -> None:
    card = ModelCard.load(tree / "models/merged/README.md")
    assert "Tiny model" in card.text
    assert NOT_MEASURED in card.text
    for value in metrics(tree, "merge")["protocol"].values():
        assert f"`{value}`" in card.text
    assert str(tree) not in str(card)


def test_what_made_the_figures_is_recorded_by_stage(tree: Path) -> None:
    found = metrics(tree, "provenance")
    assert set(found) == {"seeds", "train", "score_base", "score_tuned", "report"}
    head = run(tree, "git", "rev-parse", "HEAD").strip()
    for stage in set(found) - {"seeds"}:
        assert (found[stage]["commit"], found[stage]["uncommitted_changes"]) == (head, False), stage
    assert found["score_tuned"]["packages"]["vllm"]
    assert set(found["seeds"].values()) == {42}
    assert str(tree) not in json.dumps(found)


def test_nothing_runs_a_second_time_and_git_sees_results_alone(tree: Path) -> None:
    assert "Data and pipelines are up to date" in run(tree, "dvc", "repro")
    changed = run(tree, "git", "status", "--porcelain").splitlines()
    assert {line.split()[1] for line in changed} == {"dvc.lock", "metrics/", "plots/"}


def test_what_was_run_can_be_committed_and_saved_as_an_experiment(tree: Path) -> None:
    assert "up to date" in run(tree, "dvc", "status")
    run(tree, "dvc", "commit")
    assert "has been saved as: kept" in run(tree, "dvc", "exp", "save", "--name", "kept")
    assert "up to date" in run(tree, "dvc", "repro", "--all-pipelines")
    # The leaderboard's file is for `make submission` alone.
    dry = run(tree, "dvc", "--cd", "submission", "repro", "--dry")
    assert ran_stages(dry) == {"submission"}


def test_a_committed_run_is_registered_and_the_tiny_model_not_published(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tree)
    with pytest.raises(UserError, match=r"differ from the last commit: .*; commit or remove them"):
        promote(1000, 42)
    run(tree, "git", "add", "-A")
    run(tree, "git", "commit", "-qm", "a run")
    # Another commit alone runs nothing again, though provenance.json has the one before.
    assert "up to date" in run(tree, "dvc", "repro")
    assert run(tree, "git", "status", "--porcelain") == ""
    assert "news-recommender@v0.0.1: better than its base" in promote(1000, 42)
    with pytest.raises(UserError, match="tiny test model"):
        publish(None)
    # The sums by user give the figures that evaluate has from the rows.
    sums, tuned = metrics(tree, "by_user"), metrics(tree, "evaluate")["tuned"]
    assert sum(sums["auc_sum"]) / sum(sums["num_aucs"]) == pytest.approx(tuned["auc"])
    assert sum(sums["num_correct"]) / sum(sums["num_candidates"]) == tuned["accuracy"]
    assert len(sums["num_aucs"]) == tuned["num_users"]


def test_dvc_shows_metrics_plots_and_artifacts(tree: Path) -> None:
    assert "tuned.auc" in run(tree, "dvc", "metrics", "show", "--md")
    run(tree, "dvc", "plots", "show")
    assert "Loss of training and validation" in (tree / "dvc_plots/index.html").read_text()


def test_a_new_learning_rate_runs_only_what_follows_from_it(tree: Path) -> None:
    path = tree / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("  lr: 0.005", "  lr: 5.0e-05"))
    try:
        # The status names what changed itself; the rest follows along the graph.
        assert set(json.loads(run(tree, "dvc", "status", "--json"))) == {"train"}
        downstream = run(tree, "dvc", "repro", "--dry", "--downstream", "train")
    finally:
        path.write_text(before)
    running = ran_stages(downstream)
    skipped = {line.split("'")[1] for line in downstream.splitlines() if "didn't change" in line}
    after_merge = {"check_engine@tuned", "score@tuned", "evaluate", "report"}
    assert running | skipped == {"train", "merge"} | after_merge


def test_what_vllm_cannot_load_is_trained_and_scored_by_transformers(tree: Path) -> None:
    changes = ("train=adapter", "train.max_steps=4", "train.save_steps=2", "train.logging_steps=1")
    # Fewer prompts: transformers takes its time on two cores.
    changes += ("preprocess.num_impressions=6", "preprocess.num_val_impressions=3")
    words = [word for change in changes for word in ("-S", change)]
    output = run(tree, "dvc", "exp", "run", *words, "score@tuned")
    assert ran_stages(output) >= {"train", "merge", "check_engine@tuned", "score@tuned"}
    trained = metrics(tree, "train")
    assert (trained["method"], trained["num_steps"]) == ("adapter", 4)
    assert 0 < trained["trainable_share"] < 0.05
    assert metrics(tree, "score_tuned")["engine"] == "transformers"
    assert metrics(tree, "check_engine_tuned")["num_prompts"] == 0
    assert not (tree / "models/merged/config.json").exists()
