"""Free text from an OpenAI-compatible server, where each prompt costs money.

A prompt is asked once: its answer is written down as soon as it is there, and found again by the
next run, whatever ended the last one. How often a server failed before is written down with it, so
that the counts are those of a run that was never interrupted.
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
_TRUNCATED = ("length", "max_tokens")  # OpenAI's word, and Anthropic's and Gemini's


@dataclass(frozen=True)
class Server:
    """A model behind a server, and how to ask it.

    Attributes:
        url: up to and with `/v1`.
        key: the server's, if it wants one; never written anywhere.
        model: the server's name for it.
        max_tokens: of an answer; a longer one is cut off.
        concurrency: requests under way at once.
        max_tries: of one request; only what may pass (429, 5xx, time-outs) is tried again.
        timeout: seconds of silence after which a request has failed.
        first_wait: seconds before the second try; doubled each time, longer if the server asks.
        named_by: the parameter that names the model.
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
    """What a server wrote to one prompt.

    Attributes:
        text: None where the server filters the prompt.
        finish_reason: why the text ends there, as the server says, in lower case.
        prompt_tokens: as the server counts them; None where it does not say.
        completion_tokens: likewise.
        failures: how many tries failed before, by kind.
    """

    text: str | None
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def truncated(self) -> bool:
        """Whether the text was cut off at the most tokens that were allowed."""
        return self.finish_reason in _TRUNCATED


def ask_all(server: Server, chats: Iterable[Messages], journal: Path) -> tuple[list[Written], int]:
    """Ask for every chat that the journal does not hold; equal ones are asked once.

    Args:
        server: the server; its address is not part of what a prompt is known by, its model is.
        chats: walked once.
        journal: a file beside which nothing else is written; its folder must exist.

    Returns:
        The answers in the order of the chats, and how many chats were asked in this run.

    Raises:
        UserError: the server cannot be reached, refuses, or failed too often on one prompt. What
            was answered so far is kept.
    """
    body = {"model": server.model, "temperature": 0.0, "max_tokens": server.max_tokens}
    with _Journal(journal) as known, tqdm(desc=server.model, unit="prompt") as progress:
        order: list[str] = []
        num_known = len(known.answers)
        unknown = _unknown(chats, body, known, order, progress)
        try:
            asyncio.run(_ask(server, body, unknown, known, progress))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # the rest was cancelled, or failed likewise
        return [known.answers[digest] for digest in order], len(known.answers) - num_known


def spent(
    answers: Sequence[Written], price_prompt: float, price_completion: float
) -> dict[str, Any]:
    """What the answers took: tokens, cost, and what went wrong on the way.

    Args:
        answers: of every chat, as `ask_all` gives them: equal chats have one answer, which was
            asked, and is counted, once.
        price_prompt: of a million tokens of prompts.
        price_completion: of a million tokens of answers.

    Returns:
        `num_prompt_tokens`, `num_completion_tokens`, `cost` in the currency of the prices,
        `num_without_usage` (answers whose tokens the server did not count: they are not in the
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
    """Answers by a digest of what was asked; neither the key nor the prompts."""

    holds = "an answer"

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Written] = {}
        super().__init__(path)

    def take(self, digest: str, values: Mapping[str, Any]) -> None:
        """Keep an answer; see `newsrec.engines.journal.Journal.take`."""
        self.answers[digest] = Written(**values)

    def add(self, digest: str, answer: Written) -> None:
        """Keep an answer and write it down."""
        self.answers[digest] = answer
        self.write(digest, asdict(answer))


def _unknown(
    chats: Iterable[Messages],
    body: Mapping[str, Any],
    known: _Journal,
    order: list[str],
    progress: "tqdm[Any]",
) -> Iterator[tuple[str, Messages]]:
    """Yield the chats to ask with their digests; adds the digests of all to `order`."""
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
    """The text of a chat completion, without thoughts that a server keeps apart.

    Raises:
        PassingError: it is none, or the server says that it failed.
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
