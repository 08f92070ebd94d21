"""A model that stays loaded in a process of its own and answers one chat after the other.

    python -m newsrec.engines.model_process

is that process: it reads what it is to load, then chats, as lines of JSON, and writes a line for
each. Models that are compared never share a process: PEFT changes a base in place.
"""

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any, TextIO

from newsrec.chat.messages import Messages
from newsrec.engines.advice import explain_server
from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError
from newsrec.running.processes import Finished, read_tail, running_with_pipes


class PromptTooLongError(UserError):
    """A chat does not fit; the model answers others."""


@dataclass(frozen=True)
class Answered:
    """A greedy answer, without white space around it, and the seconds that it took."""

    text: str
    seconds: float


class ModelProcess:
    """A model that is loaded in another process; made by `run_model`."""

    def __init__(self, model: Path, process: Popen[bytes], log: Path) -> None:
        self._model, self._process, self._log = model, process, log
        self._unread, self._number = b"", 0

    def wait_until_loaded(self) -> None:
        """Return once it can answer.

        Raises:
            UserError: the model cannot be loaded.
        """
        self._read()

    def answer(self, messages: Messages) -> Answered:
        """Answer a chat, thinking off.

        Where this is interrupted the next call answers all the same, after the one before.

        Raises:
            PromptTooLongError: it has more tokens than `run_model` was given.
            UserError: the process has ended, or has no memory for it.
        """
        self._number += 1
        self._send({"number": self._number, "messages": messages})
        while (reply := self._read())["number"] != self._number:
            pass  # of a call that was interrupted
        if "too_long" in reply:
            raise PromptTooLongError(reply["too_long"])
        return Answered(reply["text"], reply["seconds"])

    def _send(self, values: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        line = json.dumps(values).encode() + b"\n"
        # What is read next says why it has ended.
        with suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._process.stdin.fileno(), line) :]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            # Ctrl-C comes here, where nothing is lost.
            select.select([stream], [], [])
            if not (piece := os.read(stream, 65_536)):
                finished = Finished(self._process.wait(), read_tail(self._log))
                raise UserError(explain_server(f"{self._model}: its process", finished, self._log))
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise UserError(reply["error"])
        return reply


@contextmanager
def run_model(
    model: Path,
    settings: TransformersSettings,
    log: Path,
    *,
    max_tokens: int,
    max_prompt_tokens: int,
) -> Iterator[ModelProcess]:
    """Load a model by transformers in a process of its own, which ends with the block.

    Args:
        model: folder of a Hugging Face model, or of what was trained beside one.
        settings: of the engine.
        log: overwritten with what the process says.
        max_tokens: of an answer.
        max_prompt_tokens: of a chat; a longer one is refused.
    """
    command = [sys.executable, "-m", "newsrec.engines.model_process"]
    with running_with_pipes(command, log) as process:
        kept = ModelProcess(model, process, log)
        limits = {"max_tokens": max_tokens, "max_prompt_tokens": max_prompt_tokens}
        kept._send({"model": str(model), "settings": asdict(settings), **limits})
        yield kept


def main() -> None:
    """Answer what comes on standard input."""
    # Whatever a library prints goes to the log.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as replies:
        os.dup2(2, 1)
        try:
            _answer_all(replies)
        except UserError as error:
            _write(replies, {"error": str(error)})


def _answer_all(replies: TextIO) -> None:
    from newsrec.chat.tokens import encode_chat, load_tokenizer
    from newsrec.engines.request import FewPrompts, Request
    from newsrec.engines.transformers_engine import load

    given = json.loads(sys.stdin.readline())
    model, limit = Path(given["model"]), given["max_prompt_tokens"]
    tokenizer = load_tokenizer(model)
    request = Request(FewPrompts(), (), given["max_tokens"])
    compute = load(TransformersSettings(**given["settings"]), model, request)
    _write(replies, {"loaded": True})
    for line in sys.stdin:
        asked = json.loads(line)
        started = time.perf_counter()
        ids = encode_chat(tokenizer, asked["messages"])
        reply: dict[str, Any] = {"number": asked["number"]}
        if len(ids) > limit:
            reply["too_long"] = (
                f"the prompt has {len(ids)} tokens, and score.max_model_len leaves {limit} beside "
                "the answer; shorten it, or raise that"
            )
        else:
            (answered,) = compute([ids], [()])
            reply["text"] = answered["text"].strip()
        _write(replies, {**reply, "seconds": time.perf_counter() - started})


def _write(replies: TextIO, values: dict[str, Any]) -> None:
    replies.write(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
