"""What the tiny base reads: it learns to copy, and no prompt of the four tasks."""

import re

import pytest

from newsrec.assistant.corpus import phrases, words
from newsrec.assistant.corpus.phrases import Phrases
from newsrec.assistant.corpus.pretraining import examples
from newsrec.assistant.tasks import read_tasks
from newsrec.chat.messages import Messages
from tests import ROOT

NUM = 3_000
TASKS = read_tasks(ROOT / "pipelines/assistant/tasks.yaml")


@pytest.fixture(scope="module")
def made() -> list[tuple[Messages, str]]:
    return examples(NUM, seed=1)


def test_the_same_seed_makes_the_same_examples(made: list[tuple[Messages, str]]) -> None:
    assert examples(100, seed=1) == made[:100]
    assert examples(100, seed=2) != made[:100]
    assert len(made) == NUM
    assert len({answer for _, answer in made}) > NUM / 3


def test_chats_ask_about_a_sentence_for_other_words_or_a_copy_and_the_rest_is_text(
    made: list[tuple[Messages, str]],
) -> None:
    chats = [(messages[0]["content"], answer) for messages, answer in made if messages]
    assert NUM / 2 < len(chats) < NUM
    about = {"平台上的数据", "一般知识", "闲聊", "想知道", "想办", "没有提到"}
    assert {answer for _, answer in chats} > about
    rephrased = [asked for asked, _ in chats if "换个说法" in asked]
    assert NUM / 7 < len(rephrased) < NUM / 5
    copies = [
        (asked, answer)
        for asked, answer in chats
        if answer not in about and asked not in set(rephrased)
    ]
    assert len(copies) > len(chats) / 4
    for asked, answer in copies:
        assert set(answer) <= set(asked) | set("图层")


def test_nothing_of_the_tasks_is_there(made: list[tuple[Messages, str]]) -> None:
    text = "\n".join(
        "\n".join([*(one["content"] for one in messages), answer]) for messages, answer in made
    )
    for task in TASKS.values():
        assert task.instruction not in text
        assert not any(label in text for label in task.labels)
    assert "任务:" not in text
    assert "输入:" not in text
    assert phrases.REFUSAL not in text
    lists = [one for one in vars(phrases).values() if isinstance(one, Phrases)]
    lists += [one for topic in phrases.TOPICS for one in (topic.ask, topic.order)]
    # What stands between the words of a phrase, where it is long enough to be no other's.
    new = [part for one in lists for part in parts(one.new) if part not in known(lists)]
    assert len(new) > 60
    assert not [part for part in new if part in text]
    # The words of the test it has read, as a base from a hub has.
    assert all(word in text for word in (*words.NEW_PLACES, *words.NEW_LAYERS))


def parts(given: tuple[str, ...]) -> list[str]:
    return [part for phrase in given for part in re.split(r"\{\w+\}", phrase) if len(part) > 3]


def known(lists: list[Phrases]) -> str:
    return "\n".join(phrase for one in lists for phrase in one.known)
