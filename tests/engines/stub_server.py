"""A chat server of this process that misbehaves on demand, and how the tests ask it."""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from newsrec.chat.messages import Messages, user_turn
from newsrec.engines import api_engine
from newsrec.engines.api_engine import Endpoint, complete_all
from newsrec.engines.api_replies import Reply, write_replies
from newsrec.engines.request import ANSWERS_SCHEMA, Choices, FewPrompts, Request
from newsrec.engines.settings import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE, ApiSettings

KEY = "sk-very-secret-123"
CHATS = [user_turn(f"message {number}") for number in range(12)]
ONE_CHAT = CHATS[:1]
HANG = (0, {}, "")
DROP = (1, {}, "")  # the connection ends without a reply
HALF = (2, {}, "")  # and here within it
DRIP = (3, {}, "")  # a byte now and then, for ever
LATE = (4, {}, "")  # the right reply, after a while
SETTINGS = {
    "server": "url",
    "template": "qwen3",
    "dtype": "auto",
    "port": 0,
    "top_logprobs": 20,
    "concurrency": 4,
    "max_tries": 3,
    "timeout": 20.0,  # so long that only a server that hangs is ever tried again
    "turns_thinking_off": True,
    "first_wait": 0.01,
}
ENDPOINT = {
    "key": KEY,
    "model": "one-model",
    "fingerprint": "a digest",
    "top_logprobs": 20,
    "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
}

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
        number = number_of(body)
        if fault is HANG:
            self.server.released.wait(30)
        elif fault is DROP:
            self.close_connection = True
        elif fault is HALF:
            self.cut_off(json.dumps(good_reply(number)))
        elif fault is DRIP:
            self.drip()
        elif fault not in (None, LATE):
            self.reply(*fault)
        else:
            self.server.released.wait(1 if fault is LATE else 0)
            time.sleep(number * 7 % 3 / 100)  # so that answers come back in another order
            self.reply(200, {}, json.dumps(self.server.change(good_reply(number))))

    def reply(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # a client that stopped for another reply
            self.wfile.write(text.encode())

    def cut_off(self, text: str) -> None:
        self.begin(len(text))
        self.wfile.write(text[: len(text) // 2].encode())
        self.close_connection = True

    def drip(self) -> None:
        self.begin(10_000)
        with suppress(ConnectionError):
            while not self.server.released.wait(0.02):
                self.wfile.write(b" ")

    def begin(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def number_of(body: dict[str, Any]) -> int:
    return int(body["messages"][-1]["content"].rsplit(" ")[-1])


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


def without_logprobs(reply: dict[str, Any]) -> dict[str, Any]:
    del reply["choices"][0]["logprobs"]
    return reply


def listing(reply: dict[str, Any], tokens: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The reply with these tokens at its first position, the chosen one first."""
    top = [entry(*token) for token in tokens]
    first = {**top[0], "top_logprobs": top}
    reply["choices"][0]["logprobs"]["content"] = [first]
    return reply


def expected(*others: float) -> list[dict[str, Any]]:
    """The answers to `CHATS`: of Yes, and of the other answers, the same for every chat."""
    return [
        {"logprobs": [logprob_yes(number), *(others or [-3.0])], "text": f"Yes {number}"}
        for number in range(len(CHATS))
    ]


def complete(
    url: str,
    work: Path,
    *,
    chats: Sequence[Messages] = CHATS,
    answers: Sequence[str] = ("Yes", "No"),
    max_tokens: int = 4,
    endpoint: dict[str, Any] | None = None,
    **settings: Any,
) -> tuple[list[Reply], int]:
    """Ask by `complete_all`; some fields of `ENDPOINT` and `SETTINGS` may be others."""
    request = Request(FewPrompts(chats=chats), tuple(range(len(answers))), max_tokens)
    return complete_all(
        Endpoint(**{**ENDPOINT, "url": url, **(endpoint or {})}),
        request,
        answers,
        ApiSettings(**{**SETTINGS, **settings}),
        work,
    )


def complete_rows(url: str, work: Path, **changed: Any) -> list[dict[str, Any]]:
    """The answers of `complete` as they are in the file of answers."""
    replies, _ = complete(url, work, **changed)
    write_replies(replies, work / "answers.parquet")
    return read_rows(work)


def answer(
    url: str,
    work: Path,
    model: Path,
    answers: tuple[int, ...],
    *,
    chats: Sequence[Messages] = CHATS,
    choices: Sequence[Choices] = (),
    name: str = "base",
    env: dict[str, str] | None = None,
    **settings: Any,
) -> tuple[dict[str, object], list[dict[str, Any]]]:
    """What the engine reports of a server behind a URL, and the rows that it wrote."""
    request = Request(FewPrompts(chats=chats), answers, max_tokens=4, choices=choices)
    with pytest.MonkeyPatch.context() as patch:
        variables = {URL_VARIABLE: url, KEY_VARIABLE: KEY, f"{MODEL_VARIABLE}BASE": "one-model"}
        for variable in (*variables, f"{MODEL_VARIABLE}TUNED"):
            patch.delenv(variable, raising=False)
        for variable, value in (variables if env is None else env).items():
            patch.setenv(variable, value)
        reported = api_engine.answer(
            ApiSettings(**{**SETTINGS, **settings}),
            name,
            model,
            request,
            work / "answers.parquet",
            work,
        )
    return reported, read_rows(work)


def read_rows(work: Path) -> list[dict[str, Any]]:
    table = pq.read_table(work / "answers.parquet")
    assert table.schema == ANSWERS_SCHEMA
    return table.to_pylist()
