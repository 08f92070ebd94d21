"""The tiny model's corpus: language and families, and nothing of what is bought next."""

from collections import Counter
from itertools import pairwise

import pytest

from newsrec.ranker.corpus import words
from newsrec.ranker.corpus.pretraining import (
    BOUGHT_FAMILY,
    MOST_BOUGHT,
    OTHER,
    SAME,
    WHETHER_SAME,
    WHICH_FAMILY,
    examples,
)
from newsrec.ranker.prompts import CANDIDATE_HEAD, NO, QUESTION, YES

pytestmark = pytest.mark.slow  # imports PyTorch

OWN = {name: set(" ".join(words.FAMILIES[name]).split()) for name in words.NAMES}


def families(text: str) -> list[str]:
    """The family of each line of the text that has words of one."""
    lines = [set(line.replace(",", " ").split()) for line in text.splitlines()]
    return [name for line in lines for name in words.NAMES if OWN[name] & line]


def chats(num: int, seed: int) -> list[tuple[str, str, str, str]]:
    """History, candidate, question and answer of each chat."""
    made = []
    for messages, answer in examples(num, seed):
        if messages:
            history, rest = messages[0]["content"].split(CANDIDATE_HEAD)
            candidate, question = rest.rsplit("\n", 1)
            made.append((history, candidate, question, answer))
    return made


def test_examples_are_the_same_for_a_seed_and_as_many_as_asked() -> None:
    assert examples(100, seed=1) == examples(100, seed=1)
    assert examples(100, seed=1) != examples(100, seed=2)
    assert [len(examples(num, seed=1)) for num in (0, 1, 7, 333)] == [0, 1, 7, 333]


def test_shelves_of_one_family_come_first() -> None:
    made = examples(600, seed=1)
    assert [not messages for messages, _ in made] == [True] * 100 + [False] * 500
    for _, text in made[:100]:
        assert len(set(families(text))) == 1
        assert any(name in text for name in families(text))


def test_the_rankers_own_question_is_answered_with_both_words() -> None:
    answers = Counter(
        answer for *_, question, answer in chats(3000, seed=1) if question == QUESTION
    )
    assert set(answers) == {YES, NO}
    assert 150 < answers.total() < 240
    assert 0.4 < answers[YES] / answers.total() < 0.6


def test_other_questions_are_answered_by_the_words_of_the_prompt() -> None:
    asked: Counter[str] = Counter()
    same: Counter[str] = Counter()
    for history, candidate, question, answer in chats(3000, seed=3):
        of_candidate, bought = families(candidate), families(history)
        if not of_candidate or len(bought) < history.count("\n- "):
            continue  # a title that names no family
        asked[question] += 1
        is_same = of_candidate[0] in bought
        most = max(Counter(bought).values())
        if question == WHICH_FAMILY:
            assert of_candidate == [answer]
        elif question == MOST_BOUGHT:
            assert bought.count(answer) == most
        elif question == BOUGHT_FAMILY:
            assert answer == (of_candidate[0] if is_same else OTHER)
        elif question == WHETHER_SAME:
            assert answer == (SAME if is_same else OTHER)
        same[question] += is_same
    assert set(asked) == {WHICH_FAMILY, MOST_BOUGHT, BOUGHT_FAMILY, WHETHER_SAME, QUESTION}
    assert all(0.4 < same[question] / asked[question] < 0.6 for question in asked)


def test_histories_grow_and_are_of_one_length_for_a_while() -> None:
    lengths = [history.count("\n- ") for history, *_ in chats(6000, seed=1)]
    assert max(lengths[:800]) == 1
    assert set(lengths[-1000:]) == {1, 2, 3, 4}
    assert sum(one != other for one, other in pairwise(lengths)) < len(lengths) / 32
