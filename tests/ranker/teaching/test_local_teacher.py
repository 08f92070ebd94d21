"""The local teacher: over the wire, with a real one's troubles, and the same each time."""

from collections import Counter
from pathlib import Path

import pytest

from newsrec.chat.messages import user_turn
from newsrec.engines.api_texts import Server, Written, ask_all, spent
from newsrec.ranker.teaching.answers import outcome
from newsrec.ranker.teaching.local_teacher import NAME, answer, local_teacher, trouble

RIGHT = {f"question {number}": number % 2 == 0 for number in range(300)}


pytestmark = pytest.mark.slow  # hundreds of requests


def asked(journal: Path) -> list[Written]:
    with local_teacher(RIGHT) as url:
        server = Server(url, None, NAME, 64, 8, 3, 20.0, "teach.teacher", first_wait=0.0)
        return ask_all(server, map(user_turn, RIGHT), journal)[0]


def test_its_answers_and_troubles_follow_from_the_prompts(tmp_path: Path) -> None:
    found = asked(tmp_path / "one.jsonl")
    assert found == asked(tmp_path / "other.jsonl")
    assert [(one.text, one.finish_reason) for one in found] == [
        answer(prompt, right) for prompt, right in RIGHT.items()
    ]
    outcomes = Counter(
        outcome(one, right) for one, right in zip(found, RIGHT.values(), strict=True)
    )
    assert set(outcomes) == {"right", "wrong", "unparsed", "truncated"}
    assert outcomes["right"] > 200
    troubles = Counter(trouble(prompt) for prompt in RIGHT)
    counts = spent(found, 1.0, 2.0)
    assert counts["failures"] == {
        "429": troubles["429"],
        "500": troubles["500"],
        "reply": troubles["torn"],
    }
    assert min(counts["failures"].values()) > 0
    assert counts["cost"] > 0


def test_it_is_wrong_about_both_answers() -> None:
    wrong = [
        right
        for prompt, right in RIGHT.items()
        if outcome(Written(*answer(prompt, right)), right) == "wrong"
    ]
    assert 0 < sum(wrong) < len(wrong)
