"""Which listed token is which answer, and lists that cannot be right."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from newsrec.engines.api_errors import PassingError
from newsrec.engines.api_replies import Reply, ReplyError, read_reply
from newsrec.errors import UserError
from tests.engines.stub_server import CHATS, Stub, complete, entry, good_reply, listing

ANSWERS, IDS = ("Yes", "No"), (9454, 2753)


def read(tokens: list[tuple[str, Any]], text: str = "Yes.", bytes_: bool = True) -> Reply:
    """What is read where these tokens are listed, the chosen one first."""
    reply = listing(good_reply(7), tokens)
    reply["choices"][0]["message"]["content"] = text
    if not bytes_:
        first = reply["choices"][0]["logprobs"]["content"][0]
        for listed in (first, *first["top_logprobs"]):
            listed["bytes"] = None
    return read_reply(reply, ANSWERS, IDS)


@pytest.mark.parametrize("bytes_", [True, False])
@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("Yes", "No"),
        (" Yes", " No"),
        ("ĠYes", "ĠNo"),
        ("▁Yes", "▁No"),
        ("token_id:9454", "token_id:2753"),
    ],
)
def test_every_spelling_of_the_answers_is_understood(yes: str, no: str, bytes_: bool) -> None:
    assert read([(yes, -0.2), (no, -1.8)], bytes_=bytes_) == Reply([-0.2, -1.8], "Yes.", False)
    assert read([(no, -0.2), (yes, -1.8)], "No.", bytes_) == Reply([-1.8, -0.2], "No.", False)


def test_the_chosen_tokens_bytes_may_be_of_its_text_where_the_others_names_are_ids() -> None:
    reply = listing(good_reply(7), [("token_id:9454", -0.2), ("token_id:2753", -1.8)])
    reply["choices"][0]["logprobs"]["content"][0]["bytes"] = list(b"Yes")
    assert read_reply(reply, ANSWERS, IDS) == Reply([-0.2, -1.8], "Yes 7", False)


def test_beside_an_answer_as_it_is_the_one_with_a_space_is_another_token() -> None:
    found = read([("Yes", -1.0), (" Yes", -1.2), (" No", -1.5), ("No", -3.0)])
    assert found == Reply([-1.0, -3.0], "Yes.", False)
    found = read([("Yes", -0.2), (" No", -2.0), (" Yes", -3.5)])
    left = 1 - math.exp(-0.2) - math.exp(-2.0) - math.exp(-3.5)
    assert (found.logprobs, found.unlisted) == ([-0.2, pytest.approx(math.log(left))], True)


def test_a_token_of_another_case_is_another_token() -> None:
    found = read([("yes", -0.2), ("no", -1.8)], "yes")
    assert (found.unlisted, found.doubtful) == (True, True)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([("Yes", -0.2)], "Yes."),
        ([("Ja", -0.2), ("Nein", -1.8)], "Ja."),
        ([("token_id:1", -0.2), ("token_id:2", -1.8)], "Yes."),
        ([("token_id:2753", -0.2), ("token_id:9454", -1.8)], "Yes."),  # of another vocabulary
        ([("\n", -0.1), ("Yes", -5.0), ("No", -5.1)], "\nYes."),
        ([("Ċ", -0.1), ("Yes", -5.0), ("No", -5.1)], "Yes."),
        ([("<s>", -0.1), ("Yes", -5.0), ("No", -5.1)], "Yes."),
        ([("\ufffd", -0.2), ("Yes", -2.0)], "是"),
        ([("Yes", 0.0), ("No", -9999.0)], "Yes."),
        ([("Yes", 0.0), ("No", -math.inf)], "Yes."),
        ([("Yes", -9999.0)], "Yes."),
    ],
)
def test_a_list_that_orders_no_answers_is_doubtful(
    tokens: list[tuple[str, Any]], text: str
) -> None:
    found = read(tokens, text)
    assert found.doubtful
    assert found.can_be_right


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([("<|im_end|>", -0.1), ("Yes", -5.0), ("No", -5.1)], ""),
        ([(" Maybe", -0.1), ("Yes", -5.0), ("No", -5.1)], "Maybe"),
        ([("Maybe", -0.1), ("Yes", -5.0), ("No", -5.1)], "May"),
        ([("æĺ¯", -0.1), ("Yes", -5.0), ("No", -5.1)], "是"),
    ],
)
def test_an_answer_that_is_none_of_them_leaves_their_order(
    tokens: list[tuple[str, Any]], text: str
) -> None:
    assert not read(tokens, text).doubtful


@pytest.mark.parametrize("top", [None, []])
def test_a_server_without_alternatives_is_doubtful(top: object) -> None:
    reply = good_reply(7)
    reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = top
    assert read_reply(reply, ANSWERS, IDS).doubtful
    assert not read_reply(reply, ("Yes",), (9454,)).doubtful


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ([("Yes", 0.0), ("No", 0.0)], "have a total probability of 2.00, above 1: 'Yes' (0.00)"),
        ([("Yes", -0.2), ("No", -0.5)], "have a total probability of 1.43"),
        ([("Maybe", -0.2), ("Yes", -1.8), ("Perhaps", -0.4)], "have a total probability of 1.65"),
        ([("Yes", -0.2), ("Yes", -0.5)], "have a total probability of 1.43"),
        ([("Yes", 0.31), ("No", -3.0)], "of 'Yes' is 0.31, above 0"),
        ([("Yes", -0.2), ("No", math.inf)], "of 'No' is inf, above 0"),
    ],
)
def test_more_than_all_probability_is_refused(tokens: list[tuple[str, Any]], words: str) -> None:
    with pytest.raises(ReplyError, match=re.escape(words) + ".*; choose another server or"):
        read(tokens)


@pytest.mark.parametrize(
    "tokens",
    [
        [("Yes", -0.2), ("No", -1.8), ("Yes", -0.2)],
        [("Yes", 1e-7), ("No", -16.0)],
        [("Yes", -0.102), ("No", -2.306)],  # rounded to a probability of 1.003
    ],
)
def test_rounding_and_a_token_listed_twice_are_none_too_much(tokens: list[tuple[str, Any]]) -> None:
    found = read(tokens)
    assert found.logprobs == [tokens[0][1], tokens[1][1]]
    assert not found.doubtful


def test_the_chosen_token_is_not_counted_again_where_its_name_is_another() -> None:
    reply = listing(good_reply(7), [("Yes", -0.2), ("No", -1.8)])
    reply["choices"][0]["logprobs"]["content"][0] |= entry(" Yes", -0.2)
    assert read_reply(reply, ANSWERS, IDS) == Reply([-0.2, -1.8], "Yes 7", False)


@pytest.mark.parametrize("bad", [math.nan, None, "-0.2", True])
def test_a_log_probability_that_is_no_number_is_asked_for_again(bad: object) -> None:
    for tokens in ([("Yes", bad), ("No", -1.8)], [("Yes", -0.2), ("No", bad)]):
        with pytest.raises(PassingError, match=r"the log-probability of '(Yes|No)' is "):
            read(tokens)


def test_a_nan_that_stays_ends_the_run_and_one_that_passes_leaves_no_trace(
    stub: Stub, tmp_path: Path
) -> None:
    broken = json.dumps(listing(good_reply(0), [("Yes", math.nan), ("No", math.nan)]))
    stub.faults = [(200, {}, broken)] * 2
    replies, num_asked = complete(stub.url, tmp_path)
    assert all(reply.logprobs and not math.isnan(sum(reply.logprobs)) for reply in replies)
    assert (num_asked, len(stub.asked)) == (len(CHATS), len(CHATS) + 2)
    stub.faults = [(200, {}, broken)] * 100
    with pytest.raises(UserError, match=r"in 3 tries, .*'Yes' is nan, .*; serve the model in bfl"):
        complete(stub.url, tmp_path, max_tokens=5)
