"""Read the answers from a server's replies, and keep a journal of the replies so far.

If a server returns no log-probabilities at all, such as LLaMA-Factory's, the text is used. If it
filters a prompt or returns an empty text, the prompt is unanswered.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.engines import journal
from newsrec.engines.api_errors import PassingError
from newsrec.engines.api_logprobs import TOLERANCE, ReplyError, weigh
from newsrec.engines.request import ANSWERS_SCHEMA

__all__ = ["Journal", "Reply", "ReplyError", "read_reply", "write_replies"]

_BATCH_ROWS = 10_000

_SHOWN = 80  # characters of a text that a message shows
# Fields for thoughts in vLLM, SGLang and DeepSeek, Ollama, OpenRouter, LiteLLM.
_THOUGHTS = ("reasoning", "reasoning_content", "thinking", "reasoning_details", "thinking_blocks")
# <think>, [THINK], <|channel|>analysis, <|START_THINKING|>, <seed:think>, ◁think▷
_THINK_TAG = re.compile(
    r"\s*[<\[◁]/?\|?(\w+[:_])?(think|thinking|thought|thoughts|reason|reasoning|channel)\b\W",
    re.IGNORECASE,
)
# Finish reasons of OpenAI, Gemini, Zhipu, Anthropic; of vLLM, OpenRouter, SGLang, DeepSeek.
FILTERED_REASON = re.compile(
    "filter|safety|sensitive|prohibited|blocklist|recitation|spii|refus|guardrail", re.IGNORECASE
)
FAILED_REASON = re.compile("error|abort|cancel|insufficient|unavailable", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """The reply to one prompt.

    Attributes:
        logprobs: for each answer of the request, in order; None if the server returns none.
        text: the generated text; None if the server did not answer this prompt.
        unlisted: whether an answer's token was not listed (see `api_logprobs`).
        doubtful: whether too few answers were listed to know their order, or the text does not
            begin at the first position.
        seen: the part of the reply to show if it is doubtful or not an answer.
        model: the model in the server's reply; empty if there is none.
    """

    logprobs: Sequence[float] | None
    text: str | None
    unlisted: bool
    doubtful: bool = False
    seen: str = field(default="", compare=False)
    model: str = field(default="", compare=False)

    @property
    def can_be_right(self) -> bool:
        """Whether the log-probabilities are possible ones."""
        logprobs = self.logprobs or []
        return all(logprob <= TOLERANCE for logprob in logprobs) and (
            self.unlisted or sum(map(math.exp, logprobs)) <= 1 + TOLERANCE
        )


class Journal(journal.Journal):
    """The replies so far.

    It contains neither the messages nor the key, but a digest of each request. A prompt without an
    answer is not in it, so that the next run sends it again.
    """

    holds = "a reply"

    def __init__(self, path: Path) -> None:
        self._found: dict[int, tuple[str, Reply]] = {}
        super().__init__(path)

    def take(self, row: int, digest: str, *values: Any) -> None:
        """Store the reply for a row; see `newsrec.engines.journal.Journal.take`."""
        self._found[row] = digest, Reply(*values)

    def find(self, row: int, digest: str) -> Reply | None:
        """The reply for that row, if it belongs to the same request."""
        known, reply = self._found.get(row, ("", None))
        return reply if known == digest and reply is not None and reply.can_be_right else None

    def add(self, row: int, digest: str, reply: Reply) -> None:
        """Write a reply to the file, if it is an answer."""
        if reply.text is not None:
            self.write(row, digest, *asdict(reply).values())


def read_reply(
    reply: Mapping[str, Any],
    answers: Sequence[str],
    ids: Sequence[int] = (),
    *,
    weighed: bool = True,
) -> Reply:
    """The answers' log-probabilities and the text of a chat completion.

    Args:
        reply: the reply of the server.
        answers: the text of each answer's first token.
        ids: the ids of the same tokens.
        weighed: whether log-probabilities were requested; if not, only the text is read.

    Raises:
        PassingError: it has no answer, but may have one when it is requested again.
        ReplyError: it is not a chat completion, or it cannot be correct.
    """
    try:
        # One was requested; if there are several, the one with the lowest index is used.
        choice = min(reply["choices"], key=lambda choice: choice.get("index") or 0)
        reason, message = str(choice.get("finish_reason")), choice.get("message") or {}
        if FAILED_REASON.search(reason):
            raise PassingError(f"the server ended the answer with finish_reason {reason!r}")
        if refused := FILTERED_REASON.search(reason) or message.get("refusal"):
            return Reply(None, None, False, seen=f"finish_reason {reason!r}, {refused}")
        text = _text(choice["message"].get("content"))
        logprobs = choice.get("logprobs") or {}
        _refuse_thoughts(reply, message, logprobs, text)
        if not answers or not weighed:
            return Reply(None if answers else [], text, False)
        if logprobs and "content" not in logprobs:
            raise ReplyError(
                f"the log-probabilities are not in the format of OpenAI's chat completions: "
                f"{str(logprobs)[:200]}; choose another server, or set score.api_top_logprobs: 0 "
                "to score by the texts"
            )
        if positions := logprobs.get("content"):
            return _weighed(positions[0], text, answers, ids)
        if not text:
            return Reply(None, None, False, seen=f"an empty text, finish_reason {reason!r}")
        return Reply(None, text, False)
    except ReplyError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError):
        raise ReplyError(
            f"expected a chat completion in OpenAI's format, found {str(reply)[:300]}; choose "
            "another server"
        ) from None


def _weighed(
    position: Mapping[str, Any], text: str, answers: Sequence[str], ids: Sequence[int]
) -> Reply:
    found = weigh(position, text, answers, ids)
    doubtful = found.num_listed < min(2, len(answers)) or not found.starts
    seen = f"{found.shown or 'no token'}, and the text {text[:_SHOWN]!r}" if doubtful else ""
    return Reply(found.logprobs, text, found.num_listed < len(answers), doubtful, seen)


def _text(content: object) -> str:
    """The text of a message; if it has several parts, the parts that are text."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise TypeError(f"expected a text, found {type(content).__name__}")
    if any("think" in part["type"] or "reason" in part["type"] for part in content):
        raise ReplyError(_thoughts("a part of the message", content))
    return "".join(part["text"] for part in content if part["type"] == "text")


def _refuse_thoughts(
    reply: Mapping[str, Any],
    message: Mapping[str, Any],
    logprobs: Mapping[str, Any],
    text: str,
) -> None:
    """Raise ReplyError if the model produced thoughts before the text."""
    for name in _THOUGHTS:
        thoughts = message.get(name)
        if thoughts and str(thoughts).strip():
            raise ReplyError(_thoughts(f"message.{name}", thoughts))
    if logprobs.get("reasoning_content"):
        raise ReplyError(_thoughts("logprobs.reasoning_content", logprobs["reasoning_content"]))
    usage = reply.get("usage") or {}
    if num := (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"):
        raise ReplyError(_thoughts("usage.completion_tokens_details.reasoning_tokens", num))
    positions = logprobs.get("content") or [{"token": ""}]
    for where, written in (("the text", text), ("the first token", positions[0].get("token"))):
        if _THINK_TAG.match(str(written)) or "</think>" in str(written):
            raise ReplyError(_thoughts(where, written))


def _thoughts(where: str, found: object) -> str:
    return (
        f"the model thinks before it answers, so there is no answer at the first position ({where} "
        f"is {str(found)[:_SHOWN]!r}); set score.api_turns_thinking_off: true, turn thinking off "
        "at the server, or choose another model; if the server's reasoning parser took the answer "
        "for a thought, start the server without it"
    )


def write_replies(replies: Sequence[Reply], target: Path) -> None:
    """Write replies to a Parquet file with `ANSWERS_SCHEMA`, in order."""
    with pq.ParquetWriter(target, ANSWERS_SCHEMA) as writer:
        for start in range(0, len(replies), _BATCH_ROWS):
            rows = [
                {"logprobs": reply.logprobs, "text": reply.text}
                for reply in replies[start : start + _BATCH_ROWS]
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA))
