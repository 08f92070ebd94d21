"""The journal of replies: nothing asked twice, nothing lost, nothing wrong used again."""

import hashlib
import json
import math
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from newsrec.errors import UserError
from tests.engines.stub_server import (
    CHATS,
    ENDPOINT,
    Stub,
    complete,
    complete_rows,
    expected,
)

pytestmark = pytest.mark.slow


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


@pytest.mark.slow  # a second and more
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


def test_replies_that_were_stored_by_another_reading_are_asked_again(
    stub: Stub, tmp_path: Path
) -> None:
    body = {**ENDPOINT["extra_body"], "model": "one-model", "temperature": 0, "max_tokens": 4}
    body |= {"logprobs": True, "top_logprobs": 20}
    identity = json.dumps([stub.url, body, ["Yes", "No"], "a digest"], sort_keys=True)
    asked = json.dumps(CHATS[0], ensure_ascii=False)
    digest = hashlib.sha256(f"{identity}\0{asked}".encode()).hexdigest()
    line = json.dumps([0, digest, [-5.0, -5.0], "Yes 0", True])
    (tmp_path / "journal.jsonl").write_text(f"{line}\n")
    assert complete_rows(stub.url, tmp_path) == expected()


@pytest.mark.parametrize("wrong", [[0.0, 0.0], [math.nan, -3.0], [0.5, -3.0]])
def test_a_stored_reply_that_cannot_be_right_is_asked_again(
    wrong: list[float], stub: Stub, tmp_path: Path
) -> None:
    complete(stub.url, tmp_path, concurrency=1)
    journal = tmp_path / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    lines[3][2] = wrong
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    stub.asked.clear()
    assert complete_rows(stub.url, tmp_path) == expected()
    assert stub.numbers() == [3]


def test_a_chat_that_got_a_system_message_is_asked_again(stub: Stub, tmp_path: Path) -> None:
    complete(stub.url, tmp_path)
    stub.asked.clear()
    with_system = [{"role": "system", "content": "Be brief."}, *CHATS[3]]
    complete(stub.url, tmp_path, chats=[*CHATS[:3], with_system, *CHATS[4:]])
    assert stub.numbers() == [3]
