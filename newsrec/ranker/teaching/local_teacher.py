"""A server on this machine that plays the teacher, with a real one's troubles.

It knows the right answers and no language: what it shows is that the way over the wire works. What
it does with a prompt follows from a hash of the prompt, so that every run has the same answers and
the same troubles.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

NAME = "local-teacher-1"  # another number where it answers otherwise

# Shares of all prompts, of a hundred. Of the first request of a prompt:
_REFUSED, _FAILED, _TORN = 4, 2, 2
# And of its answers:
_WRONG, _CUT_OFF, _UNCLEAR = 12, 4, 3

_REASONS = "The person bought several products before. Compared with these, the product {}. "
_FITS, _DIFFERS = "is of a kind that they come back to", "is of another kind"


@contextmanager
def local_teacher(right: Mapping[str, bool]) -> Iterator[str]:
    """Serve the teacher for as long as the block runs, on a free port of this machine alone.

    Args:
        right: whether the answer is yes, by the text of the prompt.

    Yields:
        The address, up to and with `/v1`.
    """
    server = _Teacher(right)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def share_of(prompt: str, purpose: str) -> int:
    """A number from 0 to 99 that follows from the prompt."""
    digest = hashlib.sha256(f"{NAME}\0{purpose}\0{prompt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def trouble(prompt: str) -> str:
    """What happens to the first request of a prompt: `429`, `500`, `torn` or nothing."""
    share = share_of(prompt, "request")
    ends = ((_REFUSED, "429"), (_REFUSED + _FAILED, "500"), (_REFUSED + _FAILED + _TORN, "torn"))
    return next((name for end, name in ends if share < end), "")


def answer(prompt: str, right: bool) -> tuple[str, str]:
    """The text that is written, and the finish reason."""
    share = share_of(prompt, "answer")
    yes = right != (share < _WRONG)
    text = _REASONS.format(_FITS if yes else _DIFFERS)
    if _WRONG <= share < _WRONG + _CUT_OFF:
        return text[: len(text) // 2], "length"
    if _WRONG + _CUT_OFF <= share < _WRONG + _CUT_OFF + _UNCLEAR:
        return f"{text}It is hard to say.", "stop"
    return f"{text}<answer>{'yes' if yes else 'no'}</answer>", "stop"


class _Teacher(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, right: Mapping[str, bool]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.right = right
        self._asked: set[str] = set()
        self._lock = Lock()

    def is_first(self, prompt: str) -> bool:
        """Whether the prompt is asked for the first time."""
        with self._lock:
            first = prompt not in self._asked
            self._asked.add(prompt)
            return first


class _Handler(BaseHTTPRequestHandler):
    server: _Teacher
    protocol_version = "HTTP/1.1"  # one connection for many requests
    wbufsize = -1  # head and body in one packet, or each waits for the last one's receipt

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        happens = trouble(prompt) if self.server.is_first(prompt) else ""
        if happens in ("429", "500"):
            self._reply(int(happens), json.dumps({"error": {"message": "try again"}}))
            return
        reply = json.dumps(_completion(body["model"], prompt, self.server.right[prompt]))
        self._reply(200, reply[: len(reply) // 2] if happens == "torn" else reply)

    def _reply(self, status: int, text: str) -> None:
        self.send_response(status)
        content = text.encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(ConnectionError):  # a client that was stopped
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """No line for each request."""


def _completion(model: str, prompt: str, right: bool) -> dict[str, Any]:
    text, reason = answer(prompt, right)
    message = {"role": "assistant", "content": text}
    # Words: there is no tokenizer here.
    usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
    return {
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": usage,
    }
