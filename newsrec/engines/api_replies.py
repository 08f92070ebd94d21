"""What a server's reply says of each answer, and a journal of the replies so far.

A server lists only the most probable tokens. An answer whose token is not listed gets the
log-probability of the least probable token that is: it cannot have more, so the score errs towards
"don't know", and two that are not listed are equal. Such rows are counted. A server that returns no
log-probabilities at all, as LLaMA-Factory's, leaves the text.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from newsrec.errors import UserError


class ReplyError(ValueError):
    """A reply that cannot be used, and what to do about it."""


@dataclass(frozen=True)
class Reply:
    """One answered prompt.

    Attributes:
        logprobs: of each answer of the request, in its order; None where the server has none.
        text: as written.
        unlisted: an answer's token was not listed (see the module).
    """

    logprobs: Sequence[float] | None
    text: str
    unlisted: bool


class Journal:
    """Replies as lines of JSON, each written as soon as it is there.

    It holds neither the messages nor the key, but a digest of what was asked.
    """

    def __init__(self, path: Path) -> None:
        self._found: dict[int, tuple[str, Reply]] = {}
        path.touch()
        content = path.read_bytes()
        # A kill leaves the last line torn, and the next one must not be glued to it.
        whole = content[: content.rfind(b"\n") + 1]
        os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row, digest, *values = json.loads(line)
                self._found[row] = digest, Reply(*values)
            except (ValueError, TypeError):
                raise UserError(
                    f"{path}:{number}: expected a reply as JSON; remove the file to ask again"
                ) from None
        self._stream = path.open("a", encoding="utf-8")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def find(self, row: int, digest: str) -> Reply | None:
        """The reply of that row, if it is one to the same question."""
        known, reply = self._found.get(row, ("", None))
        return reply if known == digest else None

    def add(self, row: int, digest: str, reply: Reply) -> None:
        """Write a reply down; it outlives a kill -9 of this process."""
        self._stream.write(json.dumps([row, digest, *asdict(reply).values()]) + "\n")
        self._stream.flush()


def read_reply(reply: Mapping[str, Any], answers: Sequence[str]) -> Reply:
    """The answers' log-probabilities and the text of a chat completion.

    Args:
        reply: as the server sent it.
        answers: text of each answer's first token.

    Raises:
        ReplyError: it is no chat completion, or the model thinks before it answers.
    """
    try:
        choice = reply["choices"][0]
        text = choice["message"]["content"] or ""
        thoughts = choice["message"].get("reasoning_content")
        positions = (choice.get("logprobs") or {}).get("content")
        if text.lstrip().startswith("<think>") or thoughts:
            raise ReplyError(
                "the model thinks before it answers, so there is no answer at the first position; "
                "turn thinking off at the server, or choose another model"
            )
        if not answers:
            return Reply([], text, False)
        return _weigh(positions[0], text, answers) if positions else Reply(None, text, False)
    except ReplyError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError):
        raise ReplyError(
            f"expected a chat completion as OpenAI's, found {str(reply)[:300]}; choose another "
            "server"
        ) from None


def _weigh(first: Mapping[str, Any], text: str, answers: Sequence[str]) -> Reply:
    """The reply with its log-probabilities, from the first position."""
    # The least probable first: where two tokens have one text, the more probable one stays.
    listed = sorted([first, *first["top_logprobs"]], key=lambda entry: float(entry["logprob"]))
    logprobs = {_token_text(entry): float(entry["logprob"]) for entry in listed}
    bound = float(listed[0]["logprob"])
    unlisted = any(answer not in logprobs for answer in answers)
    return Reply([logprobs.get(answer, bound) for answer in answers], text, unlisted)


def _token_text(entry: Mapping[str, Any]) -> str:
    """A token's text; from `bytes` where `token` is the vocabulary's own spelling of it."""
    given = entry.get("bytes")
    return bytes(given).decode(errors="replace") if given else str(entry["token"])
