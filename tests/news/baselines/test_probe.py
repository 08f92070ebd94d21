"""The leak probe finds what a prompt gives away, and nothing where it gives nothing away."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from newsrec.news.baselines import probe
from newsrec.news.baselines.probe import RULES, Shown, probe_scores
from newsrec.news.mind.samples import preprocess
from newsrec.news.mind.tables import read_news
from tests.news.baselines.conftest import SETTINGS, mean_auc


def table(path: Path, *rows: dict[str, Any]) -> Path:
    empty = {"impression_id": "1", "history": [], "liked": [], "disliked": [], "target": "T"}
    pd.DataFrame([empty | row for row in rows]).to_parquet(path)
    return path


def one_click_each(test: Path) -> None:
    """Leave each impression its first click, as most of MIND's have but one; the made-up ones more.

    Impressions without a click on an article of news.tsv go: their prompts show nothing clicked.
    """
    news = read_news(test / "news.tsv")
    behaviors = test / "behaviors.tsv"
    lines = []
    for line in behaviors.read_text(encoding="utf-8").splitlines():
        *fields, shown = line.split("\t")
        ids = [token[:-2] for token in shown.split()]
        clicks = [token[:-2] for token in shown.split() if token.endswith("-1")]
        first = next((id_ for id_ in clicks if id_ in news), None)
        if first is not None:
            tokens = [f"{id_}-{int(id_ == first)}" for id_ in ids]
            lines.append("\t".join([*fields, " ".join(tokens)]) + "\n")
    behaviors.write_text("".join(lines), encoding="utf-8", newline="\n")


@pytest.mark.parametrize("kept", ["all", "last"])
def test_no_other_click_is_found_where_the_prompt_shows_the_same_impression(
    kept: str, mind: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(mind / "raw", raw)
    one_click_each(raw / "test")
    changes = {"feedback": "same_impression", "target": "last", "test_candidates": kept}
    preprocess(raw, tmp_path, **SETTINGS | changes)
    candidates = pd.read_parquet(tmp_path / "candidates_test.parquet")
    assert 0.05 < candidates["label"].mean() < 0.3
    rule, scores = probe_scores(tmp_path / "candidates_test.parquet")
    assert rule == "no liked news -> Yes"
    assert ((scores >= 0.5) == candidates["label"]).mean() == 1


def test_earlier_feedback_gives_little_away(mind: Path, candidates: pd.DataFrame) -> None:
    rule, scores = probe_scores(mind / "candidates_test.parquet")
    assert rule.rpartition(" -> ")[0] in RULES
    assert 0.5 <= mean_auc(candidates, scores) < 0.62


def test_a_rule_is_also_tried_the_other_way_round(tmp_path: Path) -> None:
    path = table(
        tmp_path / "c.parquet",
        {"target": "An old story?", "label": 0, "history": ["An old story?", "And"]},
        {"target": "A newer one", "label": 1, "history": ["An old story?", "And"]},
    )
    rule, scores = probe_scores(path)
    assert rule == "target is in the history -> No"
    assert scores.tolist() == [0, 1]


def test_one_candidate_each_is_measured_over_all_rows(tmp_path: Path) -> None:
    rows = [
        {"impression_id": str(number), "label": number % 2, "disliked": ["D"] * (number % 2)}
        for number in range(10)
    ]
    rule, scores = probe_scores(table(tmp_path / "c.parquet", *rows))
    assert rule == "no disliked news -> No"
    assert scores.tolist() == [0, 1] * 5


def test_several_candidates_are_measured_within_their_impression(tmp_path: Path) -> None:
    # Over all rows, "no liked news" would part the busy impression from the quiet one, and the
    # number of words would not do: the busy one's titles are all shorter.
    rows = [
        {"impression_id": id_, "liked": liked, "label": label, "target": "w " * num_words + "w"}
        for id_, liked, shown in [
            ("1", ["L"], [(1, 2), (1, 2), (1, 2), (0, 1)]),
            ("2", [], [(0, 5), (0, 5), (0, 5), (1, 6)]),
        ]
        for label, num_words in shown
    ]
    rule, _ = probe_scores(table(tmp_path / "c.parquet", *rows))
    assert rule == "target has many words -> Yes"


def test_small_batches_give_the_same_scores(mind: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, scores = probe_scores(mind / "candidates_test.parquet")
    monkeypatch.setattr(probe, "_BATCH_ROWS", 7)
    same_rule, same_scores = probe_scores(mind / "candidates_test.parquet")
    assert same_rule == rule
    np.testing.assert_array_equal(same_scores, scores)


def test_labels_that_are_all_equal_leave_the_first_rule(tmp_path: Path) -> None:
    rule, scores = probe_scores(table(tmp_path / "c.parquet", {"label": 1}, {"label": 1}))
    assert rule == f"{next(iter(RULES))} -> Yes"
    assert scores.tolist() == [1, 1]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_scores_any_prompt_from_0_to_1(rule: str) -> None:
    long = "word 1? " * 3_000
    prompts = [
        Shown([], [], [], ""),
        Shown([], [], [], "A 'title' of 5 words?"),
        Shown(["A", ""], ["..."], ["🚀"], "..."),
        Shown([long] * 50, [long] * 50, [long] * 50, long),
    ]
    scores = [float(RULES[rule](shown)) for shown in prompts]
    assert np.isfinite(scores).all()
    assert 0 <= min(scores) <= max(scores) <= 1
    assert len(set(scores)) > 1
