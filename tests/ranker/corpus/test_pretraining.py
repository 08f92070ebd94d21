"""The tiny model's corpus: language and families, and nothing of what is bought next."""

from collections import Counter

import pytest

from newsrec.ranker.corpus import words
from newsrec.ranker.corpus.pretraining import OTHER, SAME, WHETHER_SAME, WHICH_FAMILY, examples
from newsrec.ranker.prompts import NO, QUESTION, YES

pytestmark = pytest.mark.slow  # imports PyTorch


def test_chats_are_the_same_for_a_seed_and_as_many_as_asked() -> None:
    assert examples(100, seed=1) == examples(100, seed=1)
    assert examples(100, seed=1) != examples(100, seed=2)
    assert [len(examples(num, seed=1)) for num in (0, 1, 7)] == [0, 1, 7]


def test_a_prompt_of_the_ranker_is_answered_with_both_words() -> None:
    asked = [
        (messages[0]["content"], answer)
        for messages, answer in examples(600, seed=1)
        if messages[0]["content"].endswith(QUESTION)
    ]
    assert len(asked) == 200
    assert {answer for _, answer in asked} == {YES, NO}
    assert set(Counter(message for message, _ in asked).values()) == {2}


def test_other_questions_are_answered_by_the_words_of_the_prompt() -> None:
    own = {name: set(" ".join(words.FAMILIES[name]).split()) for name in words.NAMES}

    def families(text: str) -> list[str]:
        found = set(text.replace(",", " ").replace(".", " ").replace(";", " ").split())
        return [name for name in words.NAMES if own[name] & found]

    answers: Counter[str] = Counter()
    for messages, answer in examples(1200, seed=3):
        before, candidate = messages[0]["content"].split("A product:\n")
        of_candidate = families(candidate.split("\n")[0] + candidate.split("\n")[1])
        if not of_candidate:
            continue
        if candidate.endswith(WHICH_FAMILY):
            assert of_candidate == [answer]
        if candidate.endswith(WHETHER_SAME):
            answers[answer] += 1
            if answer == OTHER:
                assert of_candidate[0] not in families(before)
    assert set(answers) == {SAME, OTHER}
    assert 0.4 < answers[SAME] / answers.total() < 0.6
