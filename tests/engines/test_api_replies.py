"""What a reply says of each answer, and which replies cannot be used."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newsrec.engines.api_errors import PassingError
from newsrec.engines.api_replies import Reply, ReplyError, read_reply
from newsrec.errors import UserError
from tests.engines.stub_server import (
    Stub,
    complete,
    complete_rows,
    expected,
    good_reply,
    listing,
    logprob_yes,
    without_logprobs,
)

Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("answers", "logprobs", "unlisted"),
    [
        ((), [], False),
        (("No",), [-3.0], False),
        (("Yes", "No"), [logprob_yes(7), -3.0], False),
        (("No", "Yes"), [-3.0, logprob_yes(7)], False),
        (("yes", "Yesterday", "No", "Yes", "Nein"), [-4.0, -5.0, -3.0, logprob_yes(7), -5.0], True),
    ],
)
def test_a_reply_has_a_log_probability_for_each_answer_in_their_order(
    answers: tuple[str, ...], logprobs: list[float], unlisted: bool
) -> None:
    assert read_reply(good_reply(7), answers) == Reply(logprobs, "Yes 7", unlisted)


def test_free_text_needs_no_log_probabilities() -> None:
    assert read_reply(without_logprobs(good_reply(7)), ()) == Reply([], "Yes 7", False)
    assert read_reply(without_logprobs(good_reply(7)), ("Yes",)) == Reply(None, "Yes 7", False)


def test_free_text_that_begins_with_thoughts_is_refused_too() -> None:
    reply = good_reply(7)
    reply["choices"][0]["message"]["reasoning_content"] = "Well"
    with pytest.raises(ReplyError, match="thinks before it answers"):
        read_reply(reply, ())


def test_tokens_are_known_by_their_bytes_where_the_server_spells_them_its_own_way(
    stub: Stub, tmp_path: Path
) -> None:
    def spell(reply: dict[str, Any]) -> dict[str, Any]:
        for listed in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            listed["token"] = f"▁{listed['token']}"
        return reply

    stub.change = spell
    assert complete_rows(stub.url, tmp_path) == expected()


def in_some(change: Change) -> Change:
    """The same change to the replies 3 and 7 alone: what all of them lack is refused."""

    def change_some(reply: dict[str, Any]) -> dict[str, Any]:
        texts = [choice["message"]["content"] for choice in reply["choices"]]
        return change(reply) if texts[0] in ("Yes 3", "Yes 7") else reply

    return change_some


def test_a_token_that_is_not_listed_gets_the_least_that_is_and_is_counted(
    stub: Stub, tmp_path: Path
) -> None:
    def unlist(reply: dict[str, Any]) -> dict[str, Any]:
        first = reply["choices"][0]["logprobs"]["content"][0]
        first["top_logprobs"] = [first["top_logprobs"][0], *first["top_logprobs"][2:]]
        return reply

    stub.change = in_some(unlist)
    rows = complete_rows(stub.url, tmp_path)
    assert [rows[3], rows[7]] == [expected(-5.0)[3], expected(-5.0)[7]]
    assert [rows[4], rows[8]] == [expected()[4], expected()[8]]
    assert sum(reply.unlisted for reply in complete(stub.url, tmp_path)[0]) == 2


def test_where_neither_is_listed_both_are_equal(stub: Stub, tmp_path: Path) -> None:
    stub.change = in_some(lambda reply: listing(reply, [("Ja", -2.0), ("Nein", -5.0)]))
    replies, _ = complete(stub.url, tmp_path)
    assert sum(reply.unlisted for reply in replies) == 2
    assert [replies[row].logprobs for row in (3, 7)] == [[-5.0, -5.0]] * 2


def test_an_unlisted_token_gets_no_more_than_the_listed_ones_leave(
    stub: Stub, tmp_path: Path
) -> None:
    stub.change = in_some(lambda reply: listing(reply, [("Yes", -0.2)]))
    rows = complete_rows(stub.url, tmp_path)
    yes, no = rows[3]["logprobs"]
    assert (yes, no) == (-0.2, pytest.approx(math.log(1 - math.exp(-0.2))))
    assert all(math.isfinite(row["logprobs"][1]) for row in rows)


def test_log_probabilities_in_some_replies_only_are_refused(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(200, {}, json.dumps(without_logprobs(good_reply(0))))]
    with pytest.raises(UserError, match="some replies have log-probabilities and some do not"):
        complete(stub.url, tmp_path)


@pytest.mark.parametrize(
    "thoughts",
    [
        {"content": "<think>Well"},
        {"content": "\n<think>\n\n</think>\n\nYes"},
        {"content": "Well, then.</think>Yes"},
        {"content": "[THINK]Well"},
        {"content": "<|channel|>analysis<|message|>Well"},
        {"content": None, "reasoning": "The reader likes"},
        {"content": "", "reasoning_content": "The reader likes"},
        {"content": "Yes.", "reasoning": "Short."},
        {"content": "", "thinking": "Well"},
        {"content": "", "reasoning_details": [{"type": "reasoning.text", "text": "Well"}]},
        {"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Yes"}]},
    ],
)
def test_thoughts_are_found_wherever_servers_put_them(thoughts: dict[str, Any]) -> None:
    reply = good_reply(7)
    reply["choices"][0]["message"] = {"role": "assistant", **thoughts}
    with pytest.raises(ReplyError, match=r"thinks before it answers.*; set score.api_turns_think"):
        read_reply(reply, ("Yes", "No"))


def test_a_model_that_thinks_is_refused(stub: Stub, tmp_path: Path) -> None:
    def think(reply: dict[str, Any]) -> dict[str, Any]:
        reply["choices"][0]["message"] = {"content": None, "reasoning": "Well"}
        return reply

    stub.change = think
    with pytest.raises(UserError, match=r"prompt \d: the model thinks before it answers"):
        complete(stub.url, tmp_path)
    assert len(stub.asked) <= 4  # those under way with the first
    assert not (tmp_path / "journal.jsonl").read_text()


@pytest.mark.parametrize("tag", ["<think>", "</think>", "<thinking>", "◁think▷", "<seed:think>"])
def test_a_position_of_thoughts_is_not_read_though_the_server_hides_them(tag: str) -> None:
    reply = listing(good_reply(7), [(tag, -0.001), ("Yes", -14.1), ("No", -14.4)])
    reply["choices"][0]["message"]["content"] = None
    with pytest.raises(ReplyError, match=f"the first token is '{tag}'"):
        read_reply(reply, ("Yes", "No"))


def test_thoughts_that_only_the_bill_shows_are_noticed() -> None:
    usage = {"completion_tokens_details": {"reasoning_tokens": 64}}
    with pytest.raises(ReplyError, match="reasoning_tokens is '64'"):
        read_reply({**without_logprobs(good_reply(7)), "usage": usage}, ("Yes",))


@pytest.mark.parametrize("empty", [None, "", "\n\n", []])
def test_a_field_for_thoughts_that_is_empty_is_no_thought(empty: object) -> None:
    reply = good_reply(7)
    reply["choices"][0]["message"] |= {"reasoning": empty, "reasoning_content": empty}
    reply["usage"] = {"completion_tokens_details": {"reasoning_tokens": 0}}
    assert read_reply(reply, ("No",)).logprobs == [-3.0]


@pytest.mark.parametrize(
    "changed",
    [
        {"finish_reason": "content_filter"},
        {"finish_reason": "content_filter", "message": {}},
        {"finish_reason": "SAFETY", "message": None},
        {"finish_reason": "sensitive"},
        {"message": {"content": None, "refusal": "I cannot help with that."}},
        {"message": {"content": ""}, "logprobs": {"content": []}},
        {"message": {"content": None}, "logprobs": None},
    ],
)
def test_a_filtered_or_empty_reply_is_no_answer(changed: dict[str, Any]) -> None:
    reply = good_reply(7)
    reply["choices"][0] |= changed
    found = read_reply(reply, ("Yes", "No"))
    assert (found.logprobs, found.text) == (None, None)
    assert found.seen


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
def test_a_reply_that_failed_on_its_way_is_asked_for_again(reason: str) -> None:
    reply = good_reply(7)
    reply["choices"][0]["finish_reason"] = reason
    with pytest.raises(PassingError, match=reason):
        read_reply(reply, ("Yes", "No"))


def test_of_several_choices_the_first_by_its_number_is_read() -> None:
    one, other = good_reply(7)["choices"][0], good_reply(9)["choices"][0]
    reply = {"choices": [{**other, "index": 1}, {**one, "index": 0}]}
    assert read_reply(reply, ("Yes",)).text == "Yes 7"


def test_a_text_in_parts_is_put_together() -> None:
    reply = good_reply(7)
    parts = [{"type": "text", "text": "Ye"}, {"type": "text", "text": "s"}]
    reply["choices"][0]["message"]["content"] = parts
    assert read_reply(reply, ()).text == "Yes"


def test_log_probabilities_in_another_form_are_not_taken_for_none() -> None:
    reply = good_reply(7)
    reply["choices"][0]["logprobs"] = {"tokens": ["Yes"], "token_logprobs": [-0.2]}
    with pytest.raises(ReplyError, match=r"not in the format .* score.api_top_logprobs: 0"):
        read_reply(reply, ("Yes", "No"))
    assert read_reply(reply, ("Yes", "No"), weighed=False) == Reply(None, "Yes 7", False)
