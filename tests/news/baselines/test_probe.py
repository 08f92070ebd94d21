"""The leak probe finds what a prompt gives away, and nothing where it gives nothing away."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from newsrec.news.baselines import probe as module
from newsrec.news.baselines.probe import FEEDBACK_RULES, RULES, Shown, probe
from newsrec.news.mind.samples import preprocess
from newsrec.news.mind.tables import read_news
from newsrec.news.prompts import NO, YES, prompt_input, read_prompt_input
from tests.news.baselines.conftest import SETTINGS, mean_auc

EMPTY = {"impression_id": "1", "history": [], "liked": [], "disliked": [], "target": "T"}


def table(path: Path, *rows: dict[str, Any]) -> Path:
    pd.DataFrame([EMPTY | row for row in rows]).to_parquet(path)
    return path


def samples(path: Path, *rows: dict[str, Any]) -> Path:
    """The same prompts and labels as training samples."""
    lines = []
    for row in [EMPTY | row for row in rows]:
        text = prompt_input(row["history"], row["liked"], row["disliked"], row["target"])
        answer = YES if row["label"] else NO
        record = {"impression_id": row["impression_id"], "input": text, "output": answer}
        lines.append(json.dumps(record) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def of_folder(folder: Path, feedback: str = "earlier") -> tuple[dict[str, Any], np.ndarray]:
    """The probe of a preprocessed folder."""
    return probe(folder / "mind_train.jsonl", folder / "candidates_test.parquet", feedback, 10_000)


def of_rows(folder: Path, *rows: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
    """The probe that is chosen on `rows` and scores them."""
    candidates = table(folder / "candidates.parquet", *rows)
    return probe(samples(folder / "samples.jsonl", *rows), candidates, "earlier", 10_000)


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


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["all", "last"])
def test_no_other_click_is_found_where_the_prompt_shows_the_same_impression(
    kept: str, mind: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(mind / "raw", raw)
    for split in ("train", "test"):
        one_click_each(raw / split)
    changes = {"feedback": "same_impression", "target": "last", "test_candidates": kept}
    preprocess(raw, tmp_path, **SETTINGS | changes)
    candidates = pd.read_parquet(tmp_path / "candidates_test.parquet")
    assert 0.05 < candidates["label"].mean() < 0.3
    found, scores = of_folder(tmp_path, "same_impression")
    assert (found["rule"], found["is_leak"]) == ("no liked news means Yes", True)
    assert ((scores >= 0.5) == candidates["label"]).mean() == 1


def test_earlier_feedback_gives_little_away(mind: Path, candidates: pd.DataFrame) -> None:
    found, scores = of_folder(mind)
    assert found["rule"].rpartition(" means ")[0] in RULES
    assert found["is_leak"] is False
    assert 0.4 < mean_auc(candidates, scores) < 0.62
    best = found["best_on_test"]
    assert mean_auc(candidates, scores) <= best["auc"] + 1e-9
    assert best["rule"].rpartition(" means ")[0] in RULES


def test_a_rule_about_feedback_is_a_leak_where_it_is_that_of_the_same_impression(
    tmp_path: Path,
) -> None:
    rows = [{"liked": ["L"] * (1 - label), "label": label} for label in (0, 1)]
    candidates = table(tmp_path / "c.parquet", *rows)
    given = samples(tmp_path / "s.jsonl", *rows)
    for feedback, is_leak in (("same_impression", True), ("earlier", False), ("none", False)):
        found, _ = probe(given, candidates, feedback, 10)
        assert (found["rule"], found["is_leak"]) == ("no liked news means Yes", is_leak)


def test_a_rule_about_the_title_is_never_a_leak(tmp_path: Path) -> None:
    rows = [{"target": "a longer title", "label": 1}, {"target": "short", "label": 0}]
    candidates = table(tmp_path / "c.parquet", *rows)
    found, _ = probe(samples(tmp_path / "s.jsonl", *rows), candidates, "same_impression", 10)
    assert found["rule"] == "target has many words means Yes"
    assert found["is_leak"] is False
    assert all("liked" in name for name in FEEDBACK_RULES)


def test_the_rule_is_chosen_on_training_samples_whatever_the_labels_of_the_test_set(
    tmp_path: Path,
) -> None:
    given = samples(
        tmp_path / "s.jsonl",
        {"target": "Why?", "label": 1},
        {"target": "Because", "label": 0},
    )
    found = []
    for label in (0, 1):
        candidates = table(
            tmp_path / "c.parquet",
            {"target": "How is it?", "label": label, "history": ["How is it?"]},
            {"target": "a longer title", "label": 1 - label, "history": ["How is it?"]},
        )
        found.append(probe(given, candidates, "earlier", 10))
    for reported, scores in found:
        assert reported["rule"] == "target has many characters means No"
        assert reported["train_auc"] == 1
        np.testing.assert_array_equal(scores, found[0][1])
    assert [one["best_on_test"]["rule"] for one, _ in found] != [found[0][0]["rule"]] * 2


def test_the_rule_is_chosen_on_the_first_samples_up_to_a_limit(tmp_path: Path) -> None:
    first = [{"liked": ["L"] * label, "label": label} for label in (0, 1)]
    others = [
        {"liked": ["L"] * (1 - label), "label": label, "impression_id": "2"} for label in (0, 1)
    ]
    given = samples(tmp_path / "s.jsonl", *first, *others, *others)
    candidates = table(tmp_path / "c.parquet", *first)
    for limit, turned in ((2, "No"), (6, "Yes")):
        found, _ = probe(given, candidates, "earlier", limit)
        assert found["rule"] == f"no liked news means {turned}"


@pytest.mark.parametrize(
    "prompt",
    [
        ([], [], [], "(none)"),
        (["a", "- b"], ["Target news:"], ["c", "User's liked news:"], "- d"),
        (["x"], [], ["y"], "Will the user click this news? Answer with 'Yes.' or 'No.'"),
    ],
)
def test_a_prompt_is_read_back(prompt: tuple[list[str], list[str], list[str], str]) -> None:
    assert read_prompt_input(prompt_input(*prompt)) == prompt


def test_a_rule_is_also_tried_the_other_way_round(tmp_path: Path) -> None:
    found, scores = of_rows(
        tmp_path,
        {"target": "An old story?", "label": 0, "history": ["An old story?", "And"]},
        {"target": "A newer one", "label": 1, "history": ["An old story?", "And"]},
    )
    assert found["rule"] == "target is in the history means No"
    assert scores.tolist() == [0, 1]


def test_one_candidate_each_is_measured_over_all_rows(tmp_path: Path) -> None:
    rows = [
        {"impression_id": str(number), "label": number % 2, "disliked": ["D"] * (number % 2)}
        for number in range(10)
    ]
    found, scores = of_rows(tmp_path, *rows)
    assert (found["rule"], found["train_pooled_auc"]) == ("no disliked news means No", 1)
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
    found, _ = of_rows(tmp_path, *rows)
    assert found["rule"] == "target has many words means Yes"


@pytest.mark.slow  # a second or so
def test_small_batches_give_the_same_scores(mind: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, scores = of_folder(mind)
    monkeypatch.setattr(module, "_BATCH_ROWS", 7)
    same, same_scores = of_folder(mind)
    assert same == found
    np.testing.assert_array_equal(same_scores, scores)


def test_labels_that_are_all_equal_leave_the_first_rule(tmp_path: Path) -> None:
    found, scores = of_rows(tmp_path, {"label": 1}, {"label": 1})
    assert found["rule"] == f"{next(iter(RULES))} means Yes"
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


@pytest.mark.parametrize(
    ("past", "target", "other"),
    [
        ("北京奥运会开幕", "昨晚奥运会闭幕", "股市大跌三百点"),
        ("ประเทศไทยชนะ", "ข่าวประเทศไทย", "ราคาน้ำมันขึ้น"),
        ("मीन राशि", "मीन आज", "मान आज"),
    ],
)
def test_words_are_shared_in_every_script(past: str, target: str, other: str) -> None:
    rule = RULES["target shares words with the history"]
    assert rule(Shown([past], [], [], target)) > rule(Shown([past], [], [], other))


def test_words_are_shared_where_titles_have_no_spaces(tmp_path: Path) -> None:
    history = ["Thestormsoaksthecoasttoday"]
    found, _ = of_rows(
        tmp_path,
        {"target": "Yesterdaythestormhitvalleys", "label": 1, "history": history},
        {"target": "Somecheapstocksfellforbanks", "label": 0, "history": history},
    )
    assert found["rule"] == "target shares words with the history means Yes"


def test_rules_about_marks_and_length_know_other_scripts() -> None:
    asks, quotes = RULES["target asks a question"], RULES["target quotes somebody"]
    many = RULES["target has many words"]
    for title in ("为什么？", "لماذا؟", "Why?", "Why？"):
        assert asks(Shown([], [], [], title))
        assert not quotes(Shown([], [], [], title))
    for title in ("「はい」", "«Нет»", "„Ja“"):
        assert quotes(Shown([], [], [], title))
        assert not asks(Shown([], [], [], title))
    long, short = "北京奥运会昨晚闭幕", "股市大跌"
    assert many(Shown([], [], [], long)) > many(Shown([], [], [], short))
