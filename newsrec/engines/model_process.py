"""A model that stays loaded in a separate process and answers one chat after another.

    python -m newsrec.engines.model_process

is that process: it reads the model to load and then chats, as lines of JSON, and writes one line
for each. Models that are compared never share a process, as PEFT changes a base model in place.
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
    """A chat is too long; the model can still answer others."""


@dataclass(frozen=True)
class Answered:
    """A greedy answer without surrounding white space, and the seconds that it took."""

    text: str
    seconds: float


class ModelProcess:
    """A model that is loaded in another process; created by `run_model`."""

    def __init__(self, model: Path, process: Popen[bytes], log: Path) -> None:
        self._model, self._process, self._log = model, process, log
        self._unread, self._number = b"", 0

    def wait_until_loaded(self) -> None:
        """Return when the model can answer.

        Raises:
            UserError: the model cannot be loaded.
        """
        self._read()

    def answer(self, messages: Messages) -> Answered:
        """Answer a chat with thinking turned off.

        If a call is interrupted, the next call still works, after the interrupted answer is done.

        Raises:
            PromptTooLongError: the chat has more tokens than the limit given to `run_model`.
            UserError: the process has ended, or has too little memory.
        """
        self._number += 1
        self._send({"number": self._number, "messages": messages})
        while (reply := self._read())["number"] != self._number:
            pass  # the reply to an interrupted call
        if "too_long" in reply:
            raise PromptTooLongError(reply["too_long"])
        return Answered(reply["text"], reply["seconds"])

    def _send(self, values: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        line = json.dumps(values).encode() + b"\n"
        # The next read reports why the process ended.
        with suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._process.stdin.fileno(), line) :]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            # Ctrl-C interrupts here, where nothing is lost.
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
    """Load a model with transformers in a separate process, which ends with the block.

    Args:
        model: folder of a Hugging Face model, or of an adapter trained for one.
        settings: the settings of the engine.
        log: file that is overwritten with the output of the process.
        max_tokens: maximum number of tokens of an answer.
        max_prompt_tokens: maximum number of tokens of a chat; a longer one is refused.
    """
    command = [sys.executable, "-m", "newsrec.engines.model_process"]
    with running_with_pipes(command, log) as process:
        kept = ModelProcess(model, process, log)
        limits = {"max_tokens": max_tokens, "max_prompt_tokens": max_prompt_tokens}
        kept._send({"model": str(model), "settings": asdict(settings), **limits})
        yield kept


def main() -> None:
    """Answer the chats on standard input."""
    # The output of libraries goes to the log.
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
                f"the prompt has {len(ids)} tokens, and score.max_model_len leaves {limit} for it "
                "next to the answer; shorten the prompt, or raise score.max_model_len"
            )
        else:
            (answered,) = compute([ids], [()])
            reply["text"] = answered["text"].strip()
        _write(replies, {**reply, "seconds": time.perf_counter() - started})


def _write(replies: TextIO, values: dict[str, Any]) -> None:
    replies.write(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
