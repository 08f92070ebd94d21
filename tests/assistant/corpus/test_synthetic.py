"""The made-up rows: what their generator promises, counted."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from newsrec.assistant.corpus import phrases, words
from newsrec.assistant.corpus.phrases import Phrases
from newsrec.assistant.corpus.sentences import (
    INJECTION,
    OUT_OF_SCOPE,
    TYPO,
    UNSEEN_PHRASING,
    UNSEEN_PLACE,
)
from newsrec.assistant.corpus.synthetic import NO_FILE, made_up_rows
from newsrec.assistant.rows import check_row, check_together
from newsrec.assistant.tasks import Task, read_tasks
from tests import ROOT

PIPELINE = ROOT / "pipelines/assistant"
NUM = 400
NEW_WORD = re.compile("|".join((*words.NEW_PLACES, *words.NEW_LAYERS)))


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return dict(read_tasks(PIPELINE / "tasks.yaml"))


@pytest.fixture(scope="module")
def made(tasks: dict[str, Task]) -> dict[str, list[dict[str, Any]]]:
    return {name: list(made_up_rows(name, NUM, seed=1)) for name in tasks}


def test_the_same_seed_makes_the_same_rows_and_another_one_others(
    made: dict[str, list[dict[str, Any]]],
) -> None:
    for name, rows in made.items():
        assert len(rows) == NUM
        assert list(made_up_rows(name, 50, seed=1)) == rows[:50]
        assert list(made_up_rows(name, 50, seed=2)) != rows[:50]
        assert len({row["input"] for row in rows}) == NUM
    assert not list(made_up_rows("another", 50, seed=1))


def test_rows_pass_the_checks_of_a_file(
    made: dict[str, list[dict[str, Any]]], tasks: dict[str, Task]
) -> None:
    rows = [
        check_row(row, tasks[name], str(number), name, 200)
        for name, of in made.items()
        for number, row in enumerate(of)
    ]
    assert check_together(rows) == 0
    assert not any(row.was_made_plain for row in rows)


def test_new_phrases_and_words_are_named_for_the_test_split_and_tagged(
    made: dict[str, list[dict[str, Any]]],
) -> None:
    for rows in made.values():
        counts = Counter(tag for row in rows for tag in row["tags"])
        assert min(counts[UNSEEN_PHRASING], counts[UNSEEN_PLACE]) > NUM / 12
        for row in rows:
            new = {UNSEEN_PHRASING, UNSEEN_PLACE} & set(row["tags"])
            assert ("split" in row) == bool(new)
            assert row.get("split", "test") == "test"
            assert bool(NEW_WORD.search(row["input"])) == (UNSEEN_PLACE in row["tags"])


def test_every_kind_of_row_is_there(made: dict[str, list[dict[str, Any]]]) -> None:
    for name, rows in made.items():
        counts = Counter(tag for row in rows for tag in row["tags"])
        assert min(counts[TYPO], counts[INJECTION]) > NUM / 40
        assert (counts[OUT_OF_SCOPE] > NUM / 20) == (name != "file_name")
    outputs = Counter(row["output"] for row in made["file_name"])
    assert NUM / 5 < outputs["无"] < NUM / 2
    assert all((row["output"] == "无") == (NO_FILE in row["tags"]) for row in made["file_name"])
    for name in ("scenario", "kind"):
        labels = Counter(row["output"] for row in made[name])
        assert min(labels.values()) > NUM / 5
    assert len({row["output"] for row in made["answer"]}) > NUM / 2


def test_an_answer_names_the_place_and_the_layer_that_were_asked_for(
    made: dict[str, list[dict[str, Any]]],
) -> None:
    for row in made["answer"]:
        if OUT_OF_SCOPE in row["tags"]:
            assert row["output"] == phrases.REFUSAL
            continue
        (place,) = {one for one in words.PLACES + words.NEW_PLACES if one in row["output"]}
        assert place in row["input"]
        assert any(one in row["input"] for one in words.LAYERS + words.NEW_LAYERS)


def test_no_phrase_of_the_test_split_is_one_of_the_others() -> None:
    lists = [one for one in vars(phrases).values() if isinstance(one, Phrases)]
    lists += [one for topic in phrases.TOPICS for one in (topic.ask, topic.order)]
    assert len(lists) > 30
    known = {phrase for one in lists for phrase in one.known}
    for one in lists:
        assert one.new
        assert not set(one.new) & known
    assert not set(words.NEW_PLACES + words.NEW_LAYERS) & set(words.PLACES + words.LAYERS)


def test_rows_written_by_hand_have_no_word_of_the_test_split(tasks: dict[str, Task]) -> None:
    for name, task in tasks.items():
        lines = (PIPELINE / f"rows/{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) >= 36
        for line in lines:
            row = check_row(json.loads(line), task, "1", name, 200)
            assert not NEW_WORD.search(row.input)
            assert not {UNSEEN_PHRASING, UNSEEN_PLACE} & set(row.tags)
