"""What is wrong with one reply is counted; what is wrong with them as a rule ends the run."""

import re
from pathlib import Path
from typing import Any

import pytest

from newsrec.chat.messages import user_turn
from newsrec.errors import UserError
from tests.engines.stub_server import CHATS, KEY, Stub, complete, complete_rows, expected, listing


def test_many_filtered_prompts_end_the_run(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(400, {}, f'{{"error": {{"code": "content_filter", "key": "{KEY}"}}}}')] * 4
    with pytest.raises(UserError, match=r"4 of 12 prompts got no answer, the last: 400 .*; change"):
        complete(stub.url, tmp_path)
    replies, num_asked = complete(stub.url, tmp_path)
    assert (len(replies), num_asked) == (12, 4)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([("Yes", -0.2)], "Yes."),
        ([("token_id:90001", -0.2), ("token_id:90002", -1.8)], "Yes."),
    ],
)
def test_answers_that_are_not_listed_as_a_rule_are_refused_early(
    tokens: list[tuple[str, float]], text: str, stub: Stub, tmp_path: Path
) -> None:
    def list_others(reply: dict[str, Any]) -> dict[str, Any]:
        reply["choices"][0]["message"]["content"] = text
        return listing(reply, tokens)

    stub.change = list_others
    chats = [user_turn(f"message {number % 12}") for number in range(300)]
    shown = re.escape(repr(tokens[0][0]))
    with pytest.raises(UserError, match=f"does not list two of .*'Yes', 'No', .*{shown}.*: 0 to"):
        complete(stub.url, tmp_path, chats=chats)
    assert len(stub.asked) < 50
    # The server was set right: nothing of before is used.
    stub.change = lambda reply: reply
    stub.asked.clear()
    assert complete_rows(stub.url, tmp_path) == expected()
    # A request of before may still have been under way.
    assert set(stub.numbers()) == set(range(len(CHATS)))


def test_half_of_the_lists_may_be_of_other_tokens_and_no_more(stub: Stub, tmp_path: Path) -> None:
    def change(reply: dict[str, Any]) -> dict[str, Any]:
        number = int(reply["choices"][0]["message"]["content"].split()[1])
        return listing(reply, [("Yes", -0.2)]) if number < num_alone else reply

    num_alone = 6
    stub.change = change
    replies, _ = complete(stub.url, tmp_path)
    assert sum(reply.unlisted for reply in replies) == 6
    num_alone = 7
    with pytest.raises(UserError, match="the first position of 7 of 12 replies does not list two"):
        complete(stub.url, tmp_path, max_tokens=5)
