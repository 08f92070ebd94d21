"""An OpenAI-compatible server: one that is started here, or one behind a URL.

Such a server gets messages, not token ids; what its replies are worth: `api_replies`.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.chat.messages import Messages
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.api_client import Client, connect
from newsrec.engines.api_replies import Journal, Reply, ReplyError, read_reply
from newsrec.engines.api_server import llamafactory_server
from newsrec.engines.request import ANSWERS_SCHEMA, Request
from newsrec.engines.settings import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE, ApiSettings
from newsrec.errors import UserError
from newsrec.files import sha256_folder

_BATCH_ROWS = 10_000
_SECONDS_TO_START = 900
# What makes vLLM's server open the same empty think block as everywhere else; a server that was
# started here does so by its own settings.
_THINKING_OFF = {"chat_template_kwargs": {"enable_thinking": False}}


@dataclass(frozen=True)
class Endpoint:
    """A model behind a server.

    Attributes:
        url: up to and with `/v1`.
        key: the server's, if it wants one; never written anywhere.
        model: the server's name for it.
        fingerprint: of what is behind the name, where it is known, like a digest of the model's
            files: replies of another one are not taken from the journal.
        top_logprobs: tokens that it is asked to list; 0 asks for none.
        extra_body: added to each request.
    """

    url: str
    key: str | None
    model: str
    fingerprint: str
    top_logprobs: int
    extra_body: Mapping[str, Any] = field(default_factory=dict)


def answer(
    settings: ApiSettings, name: str, model: Path, request: Request, target: Path, work: Path
) -> dict[str, object]:
    """Answer every prompt by a server; see `newsrec.engines.answering.answer`.

    Returns:
        `scored_by`: logprobs, or text where there are none; `num_unlisted`: prompts of which an
        answer was not listed.

    Raises:
        UserError: there is no URL, or the server cannot do its work.
    """
    tokenizer = load_tokenizer(model)
    texts = [tokenizer.decode([token]) for token in request.answers]
    with _serving(settings, name, model, work) as endpoint:
        replies, _ = complete_all(endpoint, request, texts, settings, work)
    write_replies(replies, target)
    return {
        "scored_by": "logprobs" if any(reply.logprobs for reply in replies) else "text",
        "num_unlisted": sum(reply.unlisted for reply in replies),
    }


@contextmanager
def _serving(settings: ApiSettings, name: str, model: Path, work: Path) -> Iterator[Endpoint]:
    """The server that the settings name, for as long as the block runs."""
    fingerprint = sha256_folder(model)
    if settings.server == "llamafactory":
        server = llamafactory_server(
            model, settings.template, settings.port, work, _SECONDS_TO_START, dtype=settings.dtype
        )
        with server as url:
            # It lists no log-probabilities, whatever it is asked.
            yield Endpoint(url, None, str(model), fingerprint, top_logprobs=0)
        return
    url_behind = os.environ.get(URL_VARIABLE)
    if url_behind is None:
        raise UserError(
            f"score.api_server is url, and {URL_VARIABLE} is not set; set it to the server's "
            "address with /v1, or score.api_server to llamafactory"
        )
    yield Endpoint(
        url_behind,
        os.environ.get(KEY_VARIABLE),
        os.environ.get(f"{MODEL_VARIABLE}{name.upper()}") or str(model),
        fingerprint,
        settings.top_logprobs,
        _THINKING_OFF if settings.turns_thinking_off else {},
    )


def complete_all(
    endpoint: Endpoint,
    request: Request,
    answers: Sequence[str],
    settings: ApiSettings,
    work: Path,
) -> tuple[list[Reply], int]:
    """Ask for every prompt that the journal in `work` does not hold yet.

    After an end of any kind the same call asks only for the rest.

    Args:
        endpoint: the server.
        request: the prompts; their messages are sent.
        answers: text of each answer's first token, in the request's order.
        settings: how to ask.
        work: an existing folder, for the journal.

    Returns:
        The replies in the order of the prompts, and how many of them were asked for.

    Raises:
        UserError: the server cannot be reached or refuses, a reply cannot be used, or only some
            have log-probabilities.
    """
    weighed = answers and endpoint.top_logprobs
    body = {
        **endpoint.extra_body,
        "model": endpoint.model,
        "temperature": 0,
        "max_tokens": request.max_tokens,
        **({"logprobs": True, "top_logprobs": endpoint.top_logprobs} if weighed else {}),
    }
    identity = json.dumps([endpoint.url, body, list(answers), endpoint.fingerprint], sort_keys=True)

    async def run(journal: Journal, progress: "tqdm[Any]") -> _Completions:
        async with connect(
            endpoint.url,
            endpoint.key,
            timeout=settings.timeout,
            concurrency=settings.concurrency,
        ) as http:
            client = Client(
                http, endpoint.model, endpoint.key, settings.max_tries, settings.first_wait
            )
            completions = _Completions(client, journal, progress, body, identity, answers)
            prompts = enumerate(request.messages())
            async with asyncio.TaskGroup() as group:
                for _ in range(settings.concurrency):
                    group.create_task(completions.answer_next(prompts))
        return completions

    with (
        Journal(work / "journal.jsonl") as journal,
        tqdm(total=request.num_prompts, desc=endpoint.model, unit="prompt") as progress,
    ):
        try:
            done = asyncio.run(run(journal, progress))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # the rest was cancelled, or failed likewise
    return [done.replies[row] for row in range(len(done.replies))], done.num_asked


@dataclass
class _Completions:
    """The work that several tasks share: each takes the next prompt until none is left."""

    client: Client
    journal: Journal
    progress: "tqdm[Any]"
    body: Mapping[str, Any]
    identity: str
    answers: Sequence[str]
    replies: dict[int, Reply] = field(default_factory=dict)
    num_asked: int = 0

    async def answer_next(self, prompts: Iterator[tuple[int, Messages]]) -> None:
        for row, messages in prompts:
            asked = json.dumps(messages, ensure_ascii=False)
            digest = hashlib.sha256(f"{self.identity}\0{asked}".encode()).hexdigest()
            reply = self.journal.find(row, digest)
            if reply is None:
                reply = await self._ask(row, messages)
                self.journal.add(row, digest, reply)
                self.num_asked += 1
            self.replies[row] = reply
            first = next(iter(self.replies.values()))
            if (first.logprobs is None) != (reply.logprobs is None):
                raise self.client.error(
                    "some replies hold log-probabilities and some do not; one table cannot hold "
                    "both; use a server that treats all requests alike, or set "
                    "score.api_top_logprobs: 0 for the texts alone"
                )
            self.progress.update()

    async def _ask(self, row: int, messages: Messages) -> Reply:
        completion = await self.client.complete({**self.body, "messages": messages})
        try:
            return read_reply(completion, self.answers)
        except ReplyError as error:
            raise self.client.error(f"prompt {row}: {error}") from None


def write_replies(replies: Sequence[Reply], target: Path) -> None:
    """Write replies as a Parquet file of `ANSWERS_SCHEMA`, in their order."""
    with pq.ParquetWriter(target, ANSWERS_SCHEMA) as writer:
        for start in range(0, len(replies), _BATCH_ROWS):
            rows = [
                {"logprobs": reply.logprobs, "text": reply.text}
                for reply in replies[start : start + _BATCH_ROWS]
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA))
