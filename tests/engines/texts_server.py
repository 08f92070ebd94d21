"""A chat server of this process that writes texts and keeps account of what it was asked."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What a request gets: status, headers and body.
Reply = tuple[int, dict[str, str], str]


class TextsServer(ThreadingHTTPServer):
    """Answers by `reply_to`, called with the prompt and how often it was asked before."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, reply_to: Callable[[str, int], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.reply_to = reply_to
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()  # with status 200, to the last byte
        self.keys: set[str | None] = set()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "TextsServer":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: TextsServer

    def do_GET(self) -> None:
        self._reply(200, {}, json.dumps({"data": [{"id": "another-model"}]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        with self.server.lock:
            before = self.server.asked[prompt]
            self.server.asked[prompt] += 1
            self.server.keys.add(self.headers["Authorization"])
        reply = self.server.reply_to(prompt, before)
        self._reply(*reply)
        with self.server.lock:
            self.server.answered[prompt] += reply[0] == 200

    def _reply(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


def written(text: str, reason: str = "stop", **usage: int) -> Reply:
    """A good reply."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return 200, {}, json.dumps({"choices": [choice], "usage": usage})
