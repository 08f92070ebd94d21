"""A chat server of this process that judges two answers by a rule."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What it replies to the two answers in a question; None: an error that may pass.
Rule = Callable[[str, str], str | None]
_ANSWERS = re.compile(
    r"【回答A (?P<mark>\w+)】\n(?P<a>.*)\n【回答B (?P=mark)】\n(?P<b>.*)\n【完 (?P=mark)】"
)


def longer(one: str, other: str) -> str:
    """The longer answer."""
    return "C" if len(one) == len(other) else "AB"[len(other) > len(one)]


class JudgeServer(ThreadingHTTPServer):
    """Replies by its rule; keeps what it was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, rule: Rule) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.rule = rule
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()

    def num_asked_at_rest(self) -> int:
        """How often it was asked, once what was under way when a client gave up has come."""
        num = -1
        while num != len(self.asked):
            num = len(self.asked)
            time.sleep(0.5)
        return num

    def messages(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.asked]


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.keys.add(self.headers["Authorization"])
        found = _ANSWERS.search(body["messages"][-1]["content"])
        assert found is not None
        text = self.server.rule(found["a"], found["b"])
        choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
        reply = {"model": body["model"], "choices": [choice]}
        if text is None:
            reply = {"error": {"message": "no model 'that'; model_not_found", "code": 400}}
        content = json.dumps(reply).encode()
        self.send_response(400 if text is None else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def judging(rule: Rule) -> Iterator[JudgeServer]:
    """The server, for as long as the block runs."""
    with JudgeServer(rule) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
