"""Choices by a server: asked for as vLLM's understands, and null where the server ignores them."""

from pathlib import Path

import pytest

from newsrec.engines.request import Choices
from newsrec.errors import UserError
from tests.engines.stub_server import CHATS, Stub, answer, without_logprobs

pytestmark = pytest.mark.slow

# Of prompt n the stub writes "Yes n"; the odd ones are free.
KEPT: list[Choices] = [() if row % 2 else (f"Yes {row}", "否") for row in range(len(CHATS))]
IGNORED: list[Choices] = [*KEPT[:-2], ("No",), ()]
TEXTS = [f"Yes {row}" for row in range(len(CHATS))]


def ask(
    stub: Stub, work: Path, model: Path, choices: list[Choices], **settings: object
) -> tuple[dict[str, object], list[str | None]]:
    stub.change = without_logprobs
    reported, rows = answer(stub.url, work, model, (), choices=choices, **settings)
    return reported, [row["text"] for row in rows]


def test_a_server_is_asked_for_one_of_the_choices_in_full(
    stub: Stub, tmp_path: Path, tiny_model: Path
) -> None:
    reported, texts = ask(stub, tmp_path, tiny_model, KEPT)
    assert texts == TEXTS
    assert reported == {
        "scored_by": "text", "num_unlisted": 0, "num_unanswered": 0, "num_unconstrained": 0
    }  # fmt: skip
    asked = dict(zip(stub.numbers(), stub.asked, strict=True))
    assert asked[2]["structured_outputs"] == {"choice": ["Yes 2", "否"]}
    assert asked[2]["max_tokens"] == 6
    assert "structured_outputs" not in asked[3]
    assert asked[3]["max_tokens"] == 4


def test_of_a_server_that_ignores_choices_no_answer_is_one(
    stub: Stub, tmp_path: Path, tiny_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reported, texts = ask(stub, tmp_path, tiny_model, IGNORED)
    assert texts == [None if choices else TEXTS[row] for row, choices in enumerate(IGNORED)]
    assert (reported["num_unconstrained"], reported["num_unanswered"]) == (6, 0)
    assert "does not keep to the choices of a prompt, so 6 prompts" in capfd.readouterr().err


def test_a_server_that_is_not_vllms_is_not_asked(
    stub: Stub, tmp_path: Path, tiny_model: Path
) -> None:
    reported, texts = ask(stub, tmp_path, tiny_model, KEPT, turns_thinking_off=False)
    assert texts == [None if choices else TEXTS[row] for row, choices in enumerate(KEPT)]
    assert (reported["num_unconstrained"], reported["num_unanswered"]) == (6, 0)
    assert len(stub.asked) == 6


def test_a_reply_to_other_choices_is_not_taken(
    stub: Stub, tmp_path: Path, tiny_model: Path
) -> None:
    ask(stub, tmp_path, tiny_model, KEPT)
    ask(stub, tmp_path, tiny_model, KEPT)
    assert len(stub.asked) == len(CHATS)
    ask(stub, tmp_path, tiny_model, [(*KEPT[0], "another"), *KEPT[1:]])
    assert stub.numbers()[len(CHATS) :] == [0]
    ask(stub, tmp_path, tiny_model, [(), *KEPT[1:]])
    assert stub.numbers()[len(CHATS) + 1 :] == [0]


def test_a_server_that_refuses_the_field_is_reported_with_what_to_set(
    stub: Stub, tmp_path: Path, tiny_model: Path
) -> None:
    stub.faults = [(400, {}, '{"error": {"message": "unknown field structured_outputs"}}')]
    with pytest.raises(UserError, match=r"api_turns_thinking_off: false.*structured_outputs"):
        ask(stub, tmp_path, tiny_model, KEPT)
