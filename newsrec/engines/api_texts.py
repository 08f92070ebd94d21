"""Free text from an OpenAI-compatible server that charges for each prompt.

Each prompt is sent once: its answer is stored as soon as it arrives and is reused by the next run,
however the last run ended. The number of failures before the answer is stored with it, so that the
counts are the same as in an uninterrupted run.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from newsrec.chat.messages import Messages
from newsrec.engines.api_client import Client, connect
from newsrec.engines.api_errors import PassingError, UnansweredError
from newsrec.engines.api_replies import FAILED_REASON, FILTERED_REASON
from newsrec.engines.journal import Journal

FILTERED = "content_filter"
_TRUNCATED = ("length", "max_tokens")  # of OpenAI, and of Anthropic and Gemini


@dataclass(frozen=True)
class Server:
    """A model on a server, and the settings for requests.

    Attributes:
        url: the URL of the server, including `/v1`.
        key: the key for the server, if it requires one; never written anywhere.
        model: the server's name for the model.
        max_tokens: maximum length of an answer; a longer one is truncated.
        concurrency: number of concurrent requests.
        max_tries: tries for one request; only temporary errors (429, 5xx, time-outs) are retried.
        timeout: seconds without data after which a request fails.
        first_wait: seconds before the second try; doubled each time, longer if the server asks.
        named_by: the parameter that sets the model.
    """

    url: str
    key: str | None = field(repr=False)
    model: str
    max_tokens: int
    concurrency: int
    max_tries: int
    timeout: float
    named_by: str
    first_wait: float = 1.0


@dataclass(frozen=True)
class Written:
    """A server's answer to one prompt.

    Attributes:
        text: the text; None if the server filters the prompt.
        finish_reason: the server's reason for the end of the text, in lower case.
        prompt_tokens: the server's count of prompt tokens; None if it gives none.
        completion_tokens: the same for the answer.
        failures: the number of failed tries before, by kind.
    """

    text: str | None
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def truncated(self) -> bool:
        """Whether the text was truncated at the maximum number of tokens."""
        return self.finish_reason in _TRUNCATED


def ask_all(server: Server, chats: Iterable[Messages], journal: Path) -> tuple[list[Written], int]:
    """Send every chat that is not in the journal; equal chats are sent once.

    Args:
        server: the server; stored answers are found by its model, whatever its URL.
        chats: iterated over once.
        journal: the file for the answers, the only one written; its folder must exist.

    Returns:
        The answers in the order of the chats, and the number of chats sent in this run.

    Raises:
        UserError: the server cannot be reached, refuses, or failed too often on one prompt. The
            answers so far are kept.
    """
    body = {"model": server.model, "temperature": 0.0, "max_tokens": server.max_tokens}
    with _Journal(journal) as known, tqdm(desc=server.model, unit="prompt") as progress:
        order: list[str] = []
        num_known = len(known.answers)
        unknown = _unknown(chats, body, known, order, progress)
        try:
            asyncio.run(_ask(server, body, unknown, known, progress))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # the others were cancelled or failed too
        return [known.answers[digest] for digest in order], len(known.answers) - num_known


def spent(
    answers: Sequence[Written], price_prompt: float, price_completion: float
) -> dict[str, Any]:
    """The tokens, cost and failures of the answers.

    Args:
        answers: the answers to all chats, from `ask_all`: equal chats share one answer, which was
            requested once and is counted once.
        price_prompt: price of a million prompt tokens.
        price_completion: price of a million answer tokens.

    Returns:
        `num_prompt_tokens`, `num_completion_tokens`, `cost` in the currency of the prices,
        `num_without_usage` (answers whose tokens the server did not count, which are not in the
        sums), `num_truncated`, `num_filtered`, and `failures` by kind.
    """
    answers = list({id(one): one for one in answers}.values())
    failures = sum((Counter(one.failures) for one in answers), Counter[str]())
    prompt = sum(one.prompt_tokens or 0 for one in answers)
    completion = sum(one.completion_tokens or 0 for one in answers)
    return {
        "num_prompt_tokens": prompt,
        "num_completion_tokens": completion,
        "cost": (prompt * price_prompt + completion * price_completion) / 1e6,
        "num_without_usage": sum(one.completion_tokens is None for one in answers),
        "num_truncated": sum(one.truncated for one in answers),
        "num_filtered": sum(one.text is None for one in answers),
        "failures": dict(sorted(failures.items())),
    }


class _Journal(Journal):
    """Answers by a digest of the request; it contains neither the key nor the prompts."""

    holds = "an answer"

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Written] = {}
        super().__init__(path)

    def take(self, digest: str, values: Mapping[str, Any]) -> None:
        """Store an answer; see `newsrec.engines.journal.Journal.take`."""
        self.answers[digest] = Written(**values)

    def add(self, digest: str, answer: Written) -> None:
        """Store an answer and write it to the file."""
        self.answers[digest] = answer
        self.write(digest, asdict(answer))


def _unknown(
    chats: Iterable[Messages],
    body: Mapping[str, Any],
    known: _Journal,
    order: list[str],
    progress: "tqdm[Any]",
) -> Iterator[tuple[str, Messages]]:
    """Yield the chats to send with their digests; append the digests of all chats to `order`."""
    identity, taken = json.dumps(body, sort_keys=True), set(known.answers)
    for messages in chats:
        asked = json.dumps(messages, ensure_ascii=False)
        digest = hashlib.sha256(f"{identity}\0{asked}".encode()).hexdigest()
        order.append(digest)
        if digest in taken:
            progress.update()
        else:
            taken.add(digest)
            yield digest, messages


async def _ask(
    server: Server,
    body: Mapping[str, Any],
    chats: Iterator[tuple[str, Messages]],
    known: _Journal,
    progress: "tqdm[Any]",
) -> None:
    limits = {"timeout": server.timeout, "concurrency": server.concurrency}

    async def answer_next(client: Client) -> None:
        for digest, messages in chats:
            failures: list[str] = []
            try:
                asked = {**body, "messages": messages}
                answer = await client.complete(asked, _read, failures.append)
            except UnansweredError:
                answer = Written(None, FILTERED)
            known.add(digest, replace(answer, failures=dict(Counter(failures))))
            progress.update()

    async with connect(server.url, server.key, **limits) as http:  # type: ignore[arg-type]
        client = Client(
            http, server.model, server.key, server.max_tries, server.first_wait, server.named_by
        )
        async with asyncio.TaskGroup() as group:
            for _ in range(server.concurrency):
                group.create_task(answer_next(client))


def _read(reply: Mapping[str, Any]) -> Written:
    """The text of a chat completion, without thoughts in separate fields.

    Raises:
        PassingError: it is not a chat completion, or the server reports a failure.
        UnansweredError: the server filters the prompt.
    """
    try:
        choice = reply["choices"][0]
        reason = str(choice.get("finish_reason")).lower()
        message, usage = choice["message"], reply.get("usage") or {}
        text = message.get("content") or ""
        if not isinstance(text, str):
            raise TypeError
        prompt, completion = (
            count if isinstance(count := usage.get(name), int) else None
            for name in ("prompt_tokens", "completion_tokens")
        )
    except (LookupError, TypeError, AttributeError):
        raise PassingError(f"expected a chat completion, found {str(reply)[:300]}") from None
    if FILTERED_REASON.search(reason) or message.get("refusal"):
        raise UnansweredError(reason)
    if FAILED_REASON.search(reason):
        raise PassingError(f"the server ended the answer with finish_reason {reason!r}")
    return Written(text, reason, prompt, completion)
