"""A server that fails or refuses: tried again where it may pass, else one line without the key."""

import json
import logging
import re
import time
import traceback
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from newsrec.engines.api_client import Client, connect
from newsrec.engines.api_engine import Endpoint
from newsrec.errors import UserError
from tests.engines.stub_server import (
    CHATS,
    DRIP,
    DROP,
    HALF,
    HANG,
    KEY,
    LATE,
    ONE_CHAT,
    Fault,
    Stub,
    complete,
    complete_rows,
    expected,
)

pytestmark = pytest.mark.slow


def test_a_proxy_does_not_stand_before_this_machine(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert complete_rows(stub.url, tmp_path) == expected()


def test_what_may_pass_is_tried_again(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(429, {}, "busy"), (500, {}, "oh"), HANG, (503, {}, "later"), (429, {}, "")]
    replies, num_asked = complete(stub.url, tmp_path, timeout=1.5)
    assert [reply.text for reply in replies] == [row["text"] for row in expected()]
    assert [reply.logprobs for reply in replies] == [row["logprobs"] for row in expected()]
    assert len(stub.asked) == len(CHATS) + 5
    assert num_asked == len(CHATS)


def test_every_prompt_is_answered_once_and_in_order_whatever_the_server_does(
    stub: Stub, tmp_path: Path
) -> None:
    broken = (200, {}, '{"choices": [{"mess')
    stub.faults = [
        (429, {}, "busy"),
        (500, {}, "oh"),
        DROP,
        HALF,
        broken,
        LATE,
        DRIP,
        (200, {}, ""),
    ]
    rows = complete_rows(stub.url, tmp_path, timeout=2, max_tries=6)
    assert rows == expected()
    numbers = stub.numbers()
    assert sorted(set(numbers)) == list(range(len(CHATS)))
    assert len(numbers) == len(CHATS) + 7  # each fault but the late reply is asked again once
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)[0] for line in lines) == list(range(len(CHATS)))


@pytest.mark.parametrize("fault", [DROP, HALF, DRIP])
def test_a_server_that_never_answers_whole_is_reported(
    fault: Fault, stub: Stub, tmp_path: Path
) -> None:
    stub.faults = [fault] * 3
    words = "no complete reply in 0.4 s" if fault is DRIP else "RemoteProtocolError"
    with pytest.raises(UserError, match=f"no answer in 3 tries, the last: {words}"):
        complete(stub.url, tmp_path, chats=ONE_CHAT, timeout=0.2)
    assert len(stub.asked) == 3


def named(reply: dict[str, Any], model: str) -> dict[str, Any]:
    return {**reply, "model": model}


def test_a_server_that_calls_the_model_otherwise_is_reported(
    stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.change = lambda reply: named(reply, "one-model-2026")
    assert complete_rows(stub.url, tmp_path) == expected()
    warning = (
        f"warning: {stub.url} answered as the model 'one-model-2026', but 'one-model' was requested"
    )
    assert warning in capsys.readouterr().err


def test_replies_of_two_models_are_refused_also_behind_an_interruption(
    stub: Stub, tmp_path: Path
) -> None:
    stub.change = lambda reply: named(reply, "one-model")
    complete(stub.url, tmp_path)
    # The last reply is lost, and asked again of what the server has by then.
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    stub.change = lambda reply: named(reply, "another")
    with pytest.raises(
        UserError, match="some replies are from the model 'one-model' and some from"
    ):
        complete(stub.url, tmp_path)
    path.unlink()
    assert [reply.model for reply in complete(stub.url, tmp_path)[0]] == ["another"] * len(CHATS)


@pytest.mark.parametrize("as_date", [False, True])
def test_a_server_that_asks_for_patience_gets_it(as_date: bool, stub: Stub, tmp_path: Path) -> None:
    asked = formatdate(time.time() + 2.2, usegmt=True) if as_date else "1"
    stub.faults = [(429, {"Retry-After": asked}, "busy")]
    complete(stub.url, tmp_path, chats=ONE_CHAT)
    assert 0.9 < stub.times[1] - stub.times[0] < 2.5


@pytest.mark.parametrize(
    "fault",
    [
        (200, {}, '{"error": {"message": "Provider returned error", "code": 429}}'),
        (200, {}, '{"choices": [{"error": {"code": 502}, "finish_reason": "error"}]}'),
        (200, {}, '{"choices": []}'),
        (200, {}, '{"choices": [{"mess'),
        (200, {}, ""),
        (520, {}, "<html>web server is returning an unknown error"),
        (429, {"Retry-After": "0.01"}, "busy"),
        (429, {"Retry-After": "soon"}, "busy"),
        (429, {"Retry-After": "-1"}, "busy"),
        (429, {"Retry-After": "nan"}, "busy"),
    ],
)
def test_what_a_code_or_a_broken_body_calls_passing_is_tried_again(
    fault: Fault, stub: Stub, tmp_path: Path
) -> None:
    stub.faults = [fault]
    replies, num_asked = complete(stub.url, tmp_path, chats=ONE_CHAT)
    assert [reply.text for reply in replies] == ["Yes 0"]
    assert (num_asked, len(stub.asked)) == (1, 2)


def test_an_error_inside_a_good_status_is_reported_with_both(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(200, {}, '{"error": {"code": 429}}')] * 3
    with pytest.raises(UserError, match="429 inside a reply of status 200: "):
        complete(stub.url, tmp_path, chats=ONE_CHAT)


@pytest.mark.parametrize("status", [429, 200, 402])
def test_an_empty_account_is_not_waited_for(status: int, stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(status, {}, '{"error": {"type": "insufficient_quota"}}')]
    with pytest.raises(UserError, match=r"no credit left: .*; add credit or raise its limit"):
        complete(stub.url, tmp_path, chats=ONE_CHAT)
    assert len(stub.asked) == 1


def test_a_server_that_asks_for_hours_is_not_waited_for(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(429, {"Retry-After": "7200"}, "quota used up")]
    with pytest.raises(
        UserError, match="in 1 tries, the last: 429 quota used up; the server asks to wait"
    ):
        complete(stub.url, tmp_path, chats=ONE_CHAT)


@pytest.mark.parametrize(
    ("fault", "words"), [((503, {}, "down"), "503 down"), (HANG, "ReadTimeout")]
)
def test_tries_have_an_end(fault: Fault, words: str, stub: Stub, tmp_path: Path) -> None:
    stub.faults = [fault] * 3
    with pytest.raises(UserError, match=f"no answer in 3 tries, the last: {words}"):
        complete(stub.url, tmp_path, chats=ONE_CHAT, timeout=0.1)
    assert len(stub.asked) == 3


def test_that_there_is_no_server_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no answer in 3 tries, the last: ConnectError"):
        complete("http://127.0.0.1:9/v1", tmp_path)


@pytest.mark.parametrize(
    ("fault", "key", "words"),
    [
        ((401, {}, f"no such key: {KEY}"), KEY, "refuses the key (401); set NEWSREC_API_KEY"),
        ((401, {}, "key!"), None, "requires a key (401); set NEWSREC_API_KEY"),
        ((400, {}, f"unknown field; {KEY}"), KEY, "refuses the request: 400 unknown field; ***;"),
        ((404, {}, "no such model"), KEY, "expected one of: one-model, another; set NEWSREC_"),
        ((301, {"Location": "/"}, "moved"), KEY, "refuses the request: 301 moved"),
        ((200, {}, f"<html>{KEY}"), KEY, "expected a chat completion, found '<html>***'"),
        ((200, {}, '{"error": "no"}'), KEY, "expected a chat completion, found"),
        ((200, {}, '{"choices": [{"text": "Yes"}]}'), KEY, "prompt 0: expected a chat completion"),
        ((200, {}, 'data: {"choices": []}'), KEY, "expected one reply, found a stream"),
        ((200, {}, '{"error": {"code": 401}}'), KEY, "refuses the key (401); set NEWSREC_API_KEY"),
        ((403, {}, "not your region"), KEY, "a valid key; its reply: 403 not your region"),
        ((400, {}, "maximum context length"), KEY, "lower score.max_model_len"),
        (
            (307, {"Location": "http://b/v1"}, ""),
            KEY,
            "it redirects to 'http://b/v1'; set NEWSREC_",
        ),
    ],
)
def test_a_refusal_is_one_line_at_once_and_never_shows_the_key(
    fault: Fault, key: str | None, words: str, stub: Stub, tmp_path: Path
) -> None:
    stub.faults = [fault]
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        complete(stub.url, tmp_path, chats=ONE_CHAT, endpoint={"key": key, "model": "unknown"})
    assert str(caught.value).startswith(stub.url)
    assert KEY not in str(caught.value)
    assert len(stub.asked) == 1


def test_a_reply_that_repeats_the_key_is_reported_without_it(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(200, {}, f'{{"choices": [{{"text": "{KEY}"}}]}}')]
    with pytest.raises(UserError, match=r"prompt 0: .*'text': '\*\*\*'"):
        complete(stub.url, tmp_path, chats=ONE_CHAT)


LONG = "sk-" + "very/secret" * 20


@pytest.mark.parametrize(
    "fault",
    [
        *((status, {}, "x" * cut + LONG) for status in (200, 400, 401, 500) for cut in (70, 190)),
        (400, {}, json.dumps({"error": {"message": "content_filter " + "x" * 190 + LONG}})),
        (400, {}, json.dumps({"error": {"message": LONG}}).replace("/", "\\/")),
        (200, {}, json.dumps({"choices": [{"message": {"content": "<think>" + LONG}}]})),
        (200, {}, json.dumps({"choices": [{"finish_reason": "error " + LONG}]})),
        (200, {}, json.dumps({"choices": [{"message": {"content": ["x" * 190, LONG]}}]})),
        (200, {}, json.dumps({"choices": [{"message": {"content": f"Yes {LONG}"}}]})),
    ],
)
def test_no_part_of_a_key_that_a_server_repeats_is_shown_or_kept(
    fault: Fault, stub: Stub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stub.faults = [fault] * 3
    said = ""
    try:
        complete_rows(stub.url, tmp_path, chats=ONE_CHAT, endpoint={"key": LONG})
    except UserError as error:
        said = "".join(traceback.format_exception(error))
    said += "".join(capfd.readouterr())
    for path in tmp_path.iterdir():
        said += path.read_bytes().decode("latin-1")
    assert "secret" not in said


def test_a_key_is_not_shown_by_what_holds_it() -> None:
    endpoint = Endpoint("http://a/v1", KEY, "m", "", 0)
    assert KEY not in repr(endpoint)
    assert KEY not in repr(
        Client(connect("http://a", KEY, timeout=1, concurrency=1), "m", KEY, 1, 1)
    )


def test_a_word_in_place_of_a_key_does_not_change_the_replies(stub: Stub, tmp_path: Path) -> None:
    rows = complete_rows(stub.url, tmp_path, chats=ONE_CHAT, endpoint={"key": "Yes"})
    assert rows[0]["text"] == "Yes 0"


def test_a_reply_that_is_nested_without_end_is_reported(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(200, {}, "[" * 200_000)] * 3
    with pytest.raises(UserError, match="a truncated reply"):
        complete(stub.url, tmp_path, chats=ONE_CHAT)


def test_a_wrong_address_is_not_taken_for_a_wrong_model(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(404, {}, "not found")]
    with pytest.raises(UserError, match="no chat completions at this URL"):
        complete(stub.url, tmp_path, chats=ONE_CHAT)  # the model is one that it lists


def test_the_key_is_in_no_file_no_log_and_no_output(
    stub: Stub,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stub.faults = [(500, {}, KEY)]
    with caplog.at_level(logging.DEBUG):
        complete_rows(stub.url, tmp_path)
    shown = "".join(capfd.readouterr()) + caplog.text
    assert caplog.text  # the HTTP library's own log was on
    assert KEY not in shown
    content = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not any(KEY.encode() in text for text in content.values())
    assert set(content) == {"answers.parquet", "journal.jsonl"}
    assert not any(b"message 3" in text for text in content.values())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"url": f"http://user:{KEY}@127.0.0.1/v1"}, "NEWSREC_API_URL: expected a URL"),
        ({"url": f"http://127.0.0.1/v1?key={KEY}"}, "NEWSREC_API_URL: expected a URL"),
        ({"url": "127.0.0.1:8000"}, "NEWSREC_API_URL: expected a URL"),
        ({"key": f"{KEY}\n"}, "NEWSREC_API_KEY: expected only the key"),
        ({"key": ""}, "NEWSREC_API_KEY: expected only the key"),
    ],
)
def test_an_address_or_a_key_that_is_none_is_not_repeated(
    changed: dict[str, str], words: str, stub: Stub, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        complete(stub.url, tmp_path, endpoint=changed)
    assert KEY not in str(caught.value)
