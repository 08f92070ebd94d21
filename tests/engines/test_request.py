"""Prompts in batches, whatever the parts in which they come."""

import pyarrow as pa
import pytest

from newsrec.chat.messages import user_turn
from newsrec.chat.pieces import TOKEN_IDS
from newsrec.engines.request import FewPrompts, Request, batched


@pytest.mark.parametrize("parts", [[7], [3, 3, 1], [1] * 7, [0, 2, 0, 5], [6, 1], [], [0]])
@pytest.mark.parametrize("size", [1, 3, 6, 7, 8])
def test_batches_hold_the_rows_of_the_parts_in_their_order(parts: list[int], size: int) -> None:
    rows = [list(range(number)) for number in range(sum(parts))]
    left = iter(rows)
    given = [pa.array([next(left) for _ in range(num)], type=TOKEN_IDS) for num in parts]
    found = list(batched(given, size))
    assert [row for batch in found for row in batch.to_pylist()] == rows
    assert [len(batch) for batch in found[:-1]] == [size] * (len(found) - 1)
    assert all(0 < len(batch) <= size for batch in found)
    assert all(batch.type == TOKEN_IDS for batch in found)


def test_few_prompts_are_ids_or_chats() -> None:
    chats = [user_turn("a"), user_turn("b")]
    assert list(FewPrompts(chats=chats).messages()) == chats
    assert len(FewPrompts(chats=chats)) == 2
    (ids,) = FewPrompts([[1, 2], [3]]).token_ids()
    assert ids.to_pylist() == [[1, 2], [3]]


def test_a_choice_is_written_whole_and_free_text_up_to_its_limit() -> None:
    request = Request(FewPrompts([[1], [2]]), (), 4, [(), ("无", "通用问题")])
    assert [request.max_tokens_of(one) for one in request.choices] == [4, 13]


@pytest.mark.parametrize(
    ("answers", "choices", "message"),
    [
        ((), [("a",)], "1 choices of 2 prompts"),
        ((7,), [(), ("a",)], "choices and answers"),
        ((), [(), ("a", "")], "a choice is empty"),
    ],
)
def test_what_no_engine_can_answer_is_no_request(
    answers: tuple[int, ...], choices: list[tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Request(FewPrompts([[1], [2]]), answers, 4, choices)
