"""Scoring by a server that misbehaves: nothing asked twice, nothing lost, no key told."""

import json
import logging
import math
import multiprocessing
import re
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from newsrec.engines import openai_api
from newsrec.engines.openai_api import Scored
from newsrec.engines.request import ANSWERS_SCHEMA
from newsrec.errors import UserError

KEY = "sk-very-secret-123"
MESSAGES = [f"message {number}" for number in range(12)]
HANG = (0, {}, "")

# One reply to give instead of the right one: status, headers, body.
Fault = tuple[int, dict[str, str], str]


class Stub(ThreadingHTTPServer):
    """A chat server; the probabilities that it answers follow from the number in the message."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.faults: list[Fault] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.times: list[float] = []
        self.change: Any = lambda reply: reply
        self.released = threading.Event()

    def numbers(self) -> list[int]:
        return [number_of(body) for body in self.asked]


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_GET(self) -> None:
        self.reply(200, {}, json.dumps({"data": [{"id": "one-model"}, {"id": "another"}]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.add(self.headers["Authorization"])
        self.server.times.append(time.monotonic())
        self.server.asked.append(body)
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault is HANG:
            self.server.released.wait(30)
        elif fault is not None:
            self.reply(*fault)
        else:
            number = number_of(body)
            time.sleep(number * 7 % 3 / 100)  # so that answers come back in another order
            self.reply(200, {}, json.dumps(self.server.change(good_reply(number))))

    def reply(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


def number_of(body: dict[str, Any]) -> int:
    return int(body["messages"][0]["content"].rsplit(" ")[-1])


def logprob_yes(number: int) -> float:
    return -0.1 - number / 100


def entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def good_reply(number: int) -> dict[str, Any]:
    yes = entry("Yes", logprob_yes(number))
    top = [yes, entry("No", -3.0), entry("yes", -4.0), entry("Yesterday", -5.0)]
    positions = [{**yes, "top_logprobs": top}, {**entry(".", -0.1), "top_logprobs": []}]
    message = {"role": "assistant", "content": f"Yes {number}"}
    return {"choices": [{"message": message, "logprobs": {"content": positions}}]}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def settings(url: str, work: Path, **changed: Any) -> dict[str, Any]:
    return {
        "model": "one-model",
        "messages": MESSAGES,
        "answers": work / "answers.parquet",
        "yes": "Yes",
        "no": "No",
        "url": url,
        "key": KEY,
        "work": work,
        "fingerprint": "a digest",
        "num_messages": len(MESSAGES),
        "max_answer_tokens": 4,
        "top_logprobs": 20,
        "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
        "concurrency": 4,
        "max_tries": 3,
        "timeout": 20.0,  # so long that only a server that hangs is ever tried again
        "first_wait": 0.01,
        **changed,
    }


def score(stub: Stub, work: Path, **changed: Any) -> tuple[Scored, list[dict[str, Any]]]:
    done = openai_api.score(**settings(stub.url, work, **changed))
    table = pq.read_table(work / "answers.parquet")
    assert table.schema == ANSWERS_SCHEMA
    return done, table.to_pylist()


def expected() -> list[dict[str, Any]]:
    return [
        {"logprob_yes": logprob_yes(number), "logprob_no": -3.0, "text": f"Yes {number}"}
        for number in range(len(MESSAGES))
    ]


def test_answers_come_in_the_order_of_the_messages(stub: Stub, tmp_path: Path) -> None:
    done, rows = score(stub, tmp_path)
    assert rows == expected()
    assert done == Scored(num_answers=12, num_asked=12, num_unlisted=0, scored_by="logprobs")


def test_the_request_is_greedy_and_thinking_is_off(stub: Stub, tmp_path: Path) -> None:
    score(stub, tmp_path, messages=["message 0"])
    assert stub.keys == {f"Bearer {KEY}"}
    assert stub.asked == [
        {
            "model": "one-model",
            "messages": [{"role": "user", "content": "message 0"}],
            "temperature": 0,
            "max_tokens": 4,
            "logprobs": True,
            "top_logprobs": 20,
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]


def test_a_proxy_does_not_stand_before_this_machine(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert score(stub, tmp_path)[1] == expected()


def test_tokens_are_known_by_their_bytes_where_the_server_spells_them_its_own_way(
    stub: Stub, tmp_path: Path
) -> None:
    def spell(reply: dict[str, Any]) -> dict[str, Any]:
        for listed in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            listed["token"] = f"▁{listed['token']}"
        return reply

    stub.change = spell
    assert score(stub, tmp_path)[1] == expected()


def test_a_token_that_is_not_listed_gets_the_least_that_is_and_is_counted(
    stub: Stub, tmp_path: Path
) -> None:
    def unlist(reply: dict[str, Any]) -> dict[str, Any]:
        first = reply["choices"][0]["logprobs"]["content"][0]
        first["top_logprobs"] = [first["top_logprobs"][0], *first["top_logprobs"][2:]]
        return reply

    stub.change = unlist
    done, rows = score(stub, tmp_path)
    assert done.num_unlisted == 12
    assert rows == [{**row, "logprob_no": -5.0} for row in expected()]


def test_where_neither_is_listed_both_are_equal(stub: Stub, tmp_path: Path) -> None:
    done, rows = score(stub, tmp_path, yes="Ja", no="Nein")
    assert done.num_unlisted == 12
    assert {(row["logprob_yes"], row["logprob_no"]) for row in rows} == {(-5.0, -5.0)}


def without_logprobs(reply: dict[str, Any]) -> dict[str, Any]:
    del reply["choices"][0]["logprobs"]
    return reply


def test_without_log_probabilities_the_text_is_left(stub: Stub, tmp_path: Path) -> None:
    stub.change = without_logprobs
    done, rows = score(stub, tmp_path)
    assert done.scored_by == "text"
    assert rows == [{**row, "logprob_yes": None, "logprob_no": None} for row in expected()]


def test_log_probabilities_in_some_replies_only_are_refused(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(200, {}, json.dumps(without_logprobs(good_reply(0))))]
    with pytest.raises(UserError, match="some replies hold log-probabilities and some do not"):
        score(stub, tmp_path)


def test_a_model_that_thinks_is_refused(stub: Stub, tmp_path: Path) -> None:
    def think(reply: dict[str, Any]) -> dict[str, Any]:
        reply["choices"][0]["message"]["content"] = "<think>Well"
        return reply

    stub.change = think
    with pytest.raises(UserError, match="thinks before it answers"):
        score(stub, tmp_path)


@pytest.mark.slow
def test_what_may_pass_is_tried_again(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(429, {}, "busy"), (500, {}, "oh"), HANG, (503, {}, "later"), (429, {}, "")]
    done, rows = score(stub, tmp_path, timeout=1.5)
    assert rows == expected()
    assert len(stub.asked) == len(MESSAGES) + 5
    assert done.num_asked == len(MESSAGES)


@pytest.mark.slow
@pytest.mark.parametrize("as_date", [False, True])
def test_a_server_that_asks_for_patience_gets_it(as_date: bool, stub: Stub, tmp_path: Path) -> None:
    asked = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
    stub.faults = [(429, {"Retry-After": asked}, "busy")]
    score(stub, tmp_path, messages=["message 0"])
    assert 0.9 < stub.times[1] - stub.times[0] < 2.5


def test_a_server_that_asks_for_hours_is_not_waited_for(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(429, {"Retry-After": "7200"}, "quota used up")]
    with pytest.raises(UserError, match="in 1 tries, the last: 429 quota used up; it asks to wait"):
        score(stub, tmp_path, messages=["message 0"])


@pytest.mark.parametrize(
    ("fault", "words"), [((503, {}, "down"), "503 down"), (HANG, "ReadTimeout")]
)
def test_tries_have_an_end(fault: Fault, words: str, stub: Stub, tmp_path: Path) -> None:
    stub.faults = [fault] * 3
    with pytest.raises(UserError, match=f"no answer in 3 tries, the last: {words}"):
        score(stub, tmp_path, messages=["message 0"], timeout=0.1)
    assert len(stub.asked) == 3


def test_no_server_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no answer in 3 tries, the last: ConnectError"):
        openai_api.score(**settings("http://127.0.0.1:9/v1", tmp_path))


@pytest.mark.parametrize(
    ("fault", "key", "words"),
    [
        ((401, {}, f"no such key: {KEY}"), KEY, "refuses the key (401); set NEWSREC_API_KEY"),
        ((401, {}, "key!"), None, "wants a key (401); set NEWSREC_API_KEY"),
        ((400, {}, f"unknown field; {KEY}"), KEY, "refuses the request: 400 unknown field; ***;"),
        ((404, {}, "no such model"), KEY, "expected one of: one-model, another; set NEWSREC_"),
        ((301, {"Location": "/"}, "moved"), KEY, "refuses the request: 301 moved"),
        ((200, {}, f"<html>{KEY}"), KEY, "expected a chat completion, found '<html>***'"),
        ((200, {}, '{"error": "no"}'), KEY, "expected a chat completion, found"),
        ((200, {}, '{"choices": [{"text": "Yes"}]}'), KEY, "prompt 0: expected a chat completion"),
    ],
)
def test_a_refusal_is_one_line_at_once_and_never_shows_the_key(
    fault: Fault, key: str | None, words: str, stub: Stub, tmp_path: Path
) -> None:
    stub.faults = [fault]
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        score(stub, tmp_path, messages=["message 0"], key=key, model="unknown")
    assert str(caught.value).startswith(stub.url)
    assert KEY not in str(caught.value)
    assert len(stub.asked) == 1


def test_a_wrong_address_is_told_from_a_wrong_model(stub: Stub, tmp_path: Path) -> None:
    stub.faults = [(404, {}, "not found")]
    with pytest.raises(UserError, match="no chat completions there"):
        score(stub, tmp_path, messages=["message 0"])  # the model is one that it lists


def test_the_key_is_in_no_file_no_log_and_no_output(
    stub: Stub,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stub.faults = [(500, {}, KEY)]
    with caplog.at_level(logging.DEBUG):
        score(stub, tmp_path)
    shown = "".join(capfd.readouterr()) + caplog.text
    assert caplog.text  # the HTTP library's own log was on
    assert KEY not in shown
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert KEY.encode() not in content
        assert b"message 3" not in content


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"url": f"http://user:{KEY}@127.0.0.1/v1"}, "NEWSREC_API_URL: expected an address"),
        ({"url": f"http://127.0.0.1/v1?key={KEY}"}, "NEWSREC_API_URL: expected an address"),
        ({"url": "127.0.0.1:8000"}, "NEWSREC_API_URL: expected an address"),
        ({"key": f"{KEY}\n"}, "NEWSREC_API_KEY: expected the key alone"),
        ({"key": ""}, "NEWSREC_API_KEY: expected the key alone"),
    ],
)
def test_an_address_or_a_key_that_is_none_is_not_repeated(
    changed: dict[str, str], words: str, stub: Stub, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        openai_api.score(**{**settings(stub.url, tmp_path), **changed})
    assert KEY not in str(caught.value)


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
    arguments = settings(stub.url, tmp_path, concurrency=1, timeout=60)
    # Not a new interpreter, which takes seconds to import transformers.
    process = multiprocessing.get_context("fork").Process(target=openai_api.score, kwargs=arguments)
    process.start()
    assert reached.wait(30)
    process.kill()
    process.join()
    assert not (tmp_path / "answers.parquet").exists()
    stub.released.set()
    stub.change = right
    done, rows = score(stub, tmp_path)
    assert rows == expected()
    assert done.num_asked == 7
    # The sixth was under way: no one can know whether it was answered.
    assert sorted(stub.numbers()) == sorted([*range(12), 5])


def test_a_torn_last_line_is_asked_again(stub: Stub, tmp_path: Path) -> None:
    score(stub, tmp_path, concurrency=1)
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    stub.asked.clear()
    assert score(stub, tmp_path, concurrency=1)[1] == expected()
    assert stub.numbers() == [11]
    assert journal.read_bytes() == whole


def test_a_journal_that_is_none_is_told(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("[1]\n")
    with pytest.raises(UserError, match=r"journal\.jsonl:1: .* remove the file"):
        score(stub, tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "another"},
        {"fingerprint": "of a model trained anew"},
        {"max_answer_tokens": 5},
        {"extra_body": {}},
        {"yes": "yes"},
    ],
)
def test_other_settings_are_asked_anew(changed: dict[str, Any], stub: Stub, tmp_path: Path) -> None:
    score(stub, tmp_path)
    assert score(stub, tmp_path)[0].num_asked == 0
    assert score(stub, tmp_path, **changed)[0].num_asked == len(MESSAGES)


def test_only_the_messages_that_changed_are_asked_anew(stub: Stub, tmp_path: Path) -> None:
    score(stub, tmp_path)
    stub.asked.clear()
    messages = [*MESSAGES[:3], "another message 3", *MESSAGES[4:]]
    score(stub, tmp_path, messages=messages)
    assert stub.numbers() == [3]


def test_no_more_requests_are_under_way_than_allowed(stub: Stub, tmp_path: Path) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def count(reply: dict[str, Any]) -> dict[str, Any]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)
        with lock:
            under_way -= 1
        return reply

    stub.change = count
    score(stub, tmp_path, concurrency=3)
    assert 1 < most <= 3


def test_the_bound_of_an_unlisted_token_keeps_the_score_a_number(
    stub: Stub, tmp_path: Path
) -> None:
    def only_itself(reply: dict[str, Any]) -> dict[str, Any]:
        reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = []
        return reply

    stub.change = only_itself
    rows = score(stub, tmp_path)[1]
    assert all(math.isfinite(row["logprob_no"]) for row in rows)
