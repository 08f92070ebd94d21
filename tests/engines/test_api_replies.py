"""What a reply says of each answer, and the journal: nothing asked twice, nothing lost."""

import json
import math
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from newsrec.engines.api_replies import Reply, ReplyError, read_reply
from newsrec.errors import UserError
from tests.engines.stub_server import (
    CHATS,
    Stub,
    complete,
    complete_rows,
    expected,
    good_reply,
    logprob_yes,
    without_logprobs,
)


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


def test_a_token_that_is_not_listed_gets_the_least_that_is_and_is_counted(
    stub: Stub, tmp_path: Path
) -> None:
    def unlist(reply: dict[str, Any]) -> dict[str, Any]:
        first = reply["choices"][0]["logprobs"]["content"][0]
        first["top_logprobs"] = [first["top_logprobs"][0], *first["top_logprobs"][2:]]
        return reply

    stub.change = unlist
    assert complete_rows(stub.url, tmp_path) == expected(-5.0)
    assert sum(reply.unlisted for reply in complete(stub.url, tmp_path)[0]) == 12


def test_where_neither_is_listed_both_are_equal(stub: Stub, tmp_path: Path) -> None:
    replies, _ = complete(stub.url, tmp_path, answers=("Ja", "Nein"))
    assert sum(reply.unlisted for reply in replies) == 12
    assert [reply.logprobs for reply in replies] == [[-5.0, -5.0]] * 12


def test_the_bound_of_an_unlisted_token_keeps_the_score_a_number(
    stub: Stub, tmp_path: Path
) -> None:
    def only_itself(reply: dict[str, Any]) -> dict[str, Any]:
        reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = []
        return reply

    stub.change = only_itself
    rows = complete_rows(stub.url, tmp_path)
    assert all(math.isfinite(row["logprobs"][1]) for row in rows)


def test_log_probabilities_in_some_replies_only_are_refused(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(200, {}, json.dumps(without_logprobs(good_reply(0))))]
    with pytest.raises(UserError, match="some replies hold log-probabilities and some do not"):
        complete(stub.url, tmp_path)


def test_a_model_that_thinks_is_refused(stub: Stub, tmp_path: Path) -> None:
    def think(reply: dict[str, Any]) -> dict[str, Any]:
        reply["choices"][0]["message"]["content"] = "<think>Well"
        return reply

    stub.change = think
    with pytest.raises(UserError, match="thinks before it answers"):
        complete(stub.url, tmp_path)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_after_a_kill_only_the_rest_is_asked(stub: Stub, tmp_path: Path) -> None:
    right = stub.change

    def stand_still_at_five(reply: dict[str, Any]) -> dict[str, Any]:
        if len(stub.asked) == 6:
            reached.set()
            stub.released.wait(30)
        return right(reply)

    reached = threading.Event()
    stub.change = stand_still_at_five
    # Not a new interpreter, which takes seconds to import transformers.
    process = multiprocessing.get_context("fork").Process(
        target=complete_rows,
        args=(stub.url, tmp_path),
        kwargs={"concurrency": 1, "timeout": 60},
    )
    process.start()
    assert reached.wait(30)
    process.kill()
    process.join()
    assert not (tmp_path / "answers.parquet").exists()
    stub.released.set()
    stub.change = right
    replies, num_asked = complete(stub.url, tmp_path)
    assert [(reply.logprobs, reply.text) for reply in replies] == [
        (row["logprobs"], row["text"]) for row in expected()
    ]
    assert num_asked == 7
    # The sixth was under way: no one can know whether it was answered.
    assert sorted(stub.numbers()) == sorted([*range(12), 5])


def test_a_torn_last_line_is_asked_again(stub: Stub, tmp_path: Path) -> None:
    complete(stub.url, tmp_path, concurrency=1)
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    stub.asked.clear()
    assert complete_rows(stub.url, tmp_path, concurrency=1) == expected()
    assert stub.numbers() == [11]
    assert journal.read_bytes() == whole


def test_a_journal_that_is_none_is_refused(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("[1]\n")
    with pytest.raises(UserError, match=r"journal\.jsonl:1: .* remove the file"):
        complete(stub.url, tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": {"model": "another"}},
        {"endpoint": {"fingerprint": "of a model trained again"}},
        {"max_tokens": 5},
        {"endpoint": {"extra_body": {}}},
        {"answers": ("yes", "No")},
        {"answers": ("Yes", "No", "yes")},
        {"answers": ()},
    ],
)
def test_other_settings_are_asked_again(
    changed: dict[str, Any], stub: Stub, tmp_path: Path
) -> None:
    complete(stub.url, tmp_path)
    assert complete(stub.url, tmp_path)[1] == 0
    assert complete(stub.url, tmp_path, **changed)[1] == len(CHATS)


def test_only_the_messages_that_changed_are_asked_again(stub: Stub, tmp_path: Path) -> None:
    complete(stub.url, tmp_path)
    stub.asked.clear()
    another = [{"role": "user", "content": "another message 3"}]
    complete(stub.url, tmp_path, chats=[*CHATS[:3], another, *CHATS[4:]])
    assert stub.numbers() == [3]


def test_a_chat_that_got_a_system_message_is_asked_again(stub: Stub, tmp_path: Path) -> None:
    complete(stub.url, tmp_path)
    stub.asked.clear()
    with_system = [{"role": "system", "content": "Be brief."}, *CHATS[3]]
    complete(stub.url, tmp_path, chats=[*CHATS[:3], with_system, *CHATS[4:]])
    assert stub.numbers() == [3]
