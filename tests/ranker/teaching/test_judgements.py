"""What is asked: half about the target, of other candidates the rest, by a hash."""

import json
from pathlib import Path

import pytest

from newsrec.engines.api_texts import FILTERED, Written
from newsrec.errors import UserError
from newsrec.ranker.lists import read_items
from newsrec.ranker.params import Prompt
from newsrec.ranker.prompts import user_message
from newsrec.ranker.teaching.answers import outcome, said_yes
from newsrec.ranker.teaching.asking import write_samples
from newsrec.ranker.teaching.judgements import Judgement, judgements
from newsrec.training.dataset import read_samples
from tests.ranker import made_lists
from tests.ranker.values import prompt_of_default

ROWS = {row["id"]: row for row in made_lists.lists(60, seed=0)}


@pytest.fixture
def processed(tmp_path: Path) -> Path:
    made_lists.write_processed(tmp_path)
    return tmp_path


def asked(processed: Path, num: int | None = 20, seed: int = 1) -> list[Judgement]:
    prompt: Prompt = prompt_of_default()
    items = read_items(processed / "items.parquet")
    return [*judgements(processed / "train.parquet", items, prompt, num, seed)]


def test_half_of_the_questions_match_and_the_others_are_of_the_same_lists(processed: Path) -> None:
    found = asked(processed)
    assert sum(one.bought for one in found) == 10
    assert len({one.list_id for one in found}) == 20
    for one in found:
        row = ROWS[one.list_id]
        assert one.item in row["candidates"]
        assert one.bought == (one.item == row["target"])
        title = f"number {int(one.item[1:])}"
        assert title in one.candidate
        assert one.for_teacher.startswith(one.history + one.candidate)
    assert len(asked(processed, None)) == 60


def test_the_questions_follow_from_the_seed_and_more_of_them_hold_the_fewer(
    processed: Path,
) -> None:
    assert asked(processed) == asked(processed)
    assert asked(processed, seed=2) != asked(processed)
    assert set(asked(processed, 20)) < set(asked(processed, 40))


def test_a_sample_is_the_message_that_is_scored(processed: Path, tmp_path: Path) -> None:
    found = asked(processed)
    write_samples(lambda: iter(found), None, tmp_path / "samples.jsonl")
    for one, (message, answer) in zip(found, read_samples(tmp_path / "samples.jsonl"), strict=True):
        assert message == user_message(one.history, one.candidate)
        assert answer == ("Yes" if one.bought else "No")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("They play the drum. <answer>yes</answer>", True),
        ("<answer> No </answer>", False),
        ("<ANSWER>YES</ANSWER>\n", True),
        ("yes", None),
        ("<answer>maybe</answer>", None),
        ("<answer>yes</answer> or <answer>no</answer>", None),
        ("<answer>no</answer>, I repeat: <answer>no</answer>", False),
        ("<think>not <answer>yes</answer></think><answer>no</answer>", False),
        ("<answer>ye", None),
        ("", None),
    ],
)
def test_an_answer_is_what_its_tag_says(text: str, expected: bool | None) -> None:
    assert said_yes(text) is expected


def test_an_answer_is_kept_where_it_is_right_whole_and_not_filtered() -> None:
    yes = "<answer>yes</answer>"
    assert outcome(Written(yes, "stop"), True) == "right"
    assert outcome(Written(yes, "stop"), False) == "wrong"
    assert outcome(Written("I cannot say", "stop"), True) == "unparsed"
    assert outcome(Written(yes, "length"), True) == "truncated"
    assert outcome(Written(None, FILTERED), True) == "filtered"


def test_only_right_answers_become_samples_and_each_outcome_is_counted(
    processed: Path, tmp_path: Path
) -> None:
    found = asked(processed)
    replies = [
        Written(f"<answer>{'yes' if one.bought else 'no'}</answer>", "stop") for one in found
    ]
    replies[0] = Written(None, FILTERED)
    replies[1] = Written("cut", "length")
    replies[2] = Written("?", "stop")
    replies[3] = Written(f"<answer>{'no' if found[3].bought else 'yes'}</answer>", "stop")
    counts = write_samples(lambda: iter(found), replies, tmp_path / "samples.jsonl")
    kept = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert [one["list"] for one in kept] == [one.list_id for one in found[4:]]
    assert counts == {
        "num_asked": 20,
        "num_right": 16,
        "num_wrong": 1,
        "num_unparsed": 1,
        "num_truncated": 1,
        "num_filtered": 1,
        "num_yes": sum(one.bought for one in found[4:]),
        "num_no": sum(not one.bought for one in found[4:]),
    }


def test_a_teacher_that_only_ever_says_yes_is_no_teacher(processed: Path, tmp_path: Path) -> None:
    found = asked(processed)
    replies = [Written("<answer>yes</answer>", "stop")] * len(found)
    with pytest.raises(UserError, match="of 20 questions 10 were correctly answered yes and 0 no"):
        write_samples(lambda: iter(found), replies, tmp_path / "samples.jsonl")
    assert not (tmp_path / "samples.jsonl").exists()
