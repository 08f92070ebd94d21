"""An OpenAI-compatible server: one that is started here, or one behind a URL.

Such a server gets messages, not token ids; what its replies are worth: `api_replies`.
"""

import asyncio
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from newsrec.chat.messages import Messages
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.api_client import Client, connect
from newsrec.engines.api_errors import UnansweredError
from newsrec.engines.api_replies import Journal, Reply, ReplyError, read_reply, write_replies
from newsrec.engines.api_server import llamafactory_server
from newsrec.engines.request import Request
from newsrec.engines.settings import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE, ApiSettings
from newsrec.errors import UserError
from newsrec.files import sha256_folder

_SECONDS_TO_START = 900
# Raised when replies are read in another way: what was stored by the old one is asked again.
_READING = 2
# The share that is tolerated, and by how many roots of the number of prompts more must be found
# before all are asked. Prompts with a text in common come together, and are filtered together.
_DOUBTFUL = (1 / 2, 3)
_UNANSWERED = (1 / 4, 15)
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
    key: str | None = field(repr=False)
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
        answer was not listed; `num_unanswered`: prompts that the server filtered or left empty.

    Raises:
        UserError: there is no URL, the server cannot do its work, or a server could not tell the
            answers apart.
    """
    tokenizer = load_tokenizer(model)
    texts = [tokenizer.decode([token]) for token in request.answers]
    if len(set(texts)) < len(texts) or any("\ufffd" in text for text in texts):
        raise UserError(
            f"the answers' first tokens are {texts}, parts of characters, which a server's list "
            "does not tell apart; set score.engine to vllm or transformers, which go by ids"
        )
    with _serving(settings, name, model, work) as endpoint:
        replies, _ = complete_all(endpoint, request, texts, settings, work)
    write_replies(replies, target)
    return {
        "scored_by": "logprobs" if any(reply.logprobs for reply in replies) else "text",
        "num_unlisted": sum(reply.unlisted for reply in replies),
        "num_unanswered": sum(reply.text is None for reply in replies),
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
        UserError: the server cannot be reached or refuses, a reply cannot be used, replies are of
            two models, only some have log-probabilities, or as a rule the answers are not listed
            or there is no answer.
    """
    weighed = bool(answers and endpoint.top_logprobs)
    body = {
        **endpoint.extra_body,
        "model": endpoint.model,
        "temperature": 0,
        "max_tokens": request.max_tokens,
        **({"logprobs": True, "top_logprobs": endpoint.top_logprobs} if weighed else {}),
    }
    identity = json.dumps(
        [_READING, endpoint.url, body, list(answers), endpoint.fingerprint], sort_keys=True
    )

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
            completions = _Completions(
                client, journal, progress, body, identity, answers, request.answers, weighed
            )
            prompts = enumerate(request.prompts.messages())
            async with asyncio.TaskGroup() as group:
                for _ in range(settings.concurrency):
                    group.create_task(completions.answer_next(prompts))
        completions.check_rule(done=True)
        if completions.model not in ("", endpoint.model):
            tqdm.write(
                f"warning: {endpoint.url} answered as the model {completions.model!r}, asked for "
                f"{endpoint.model!r}; see that this is another name of the same",
                file=sys.stderr,
            )
        if completions.unanswered:
            tqdm.write(str(client.error(completions.without_answer())), file=sys.stderr)
        return completions

    with (
        Journal(work / "journal.jsonl") as journal,
        tqdm(total=len(request.prompts), desc=endpoint.model, unit="prompt") as progress,
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
    ids: Sequence[int]
    weighed: bool
    replies: dict[int, Reply] = field(default_factory=dict)
    num_asked: int = 0
    answered: Reply | None = None
    model: str = ""
    doubtful: list[Reply] = field(default_factory=list)
    unanswered: list[Reply] = field(default_factory=list)

    async def answer_next(self, prompts: Iterator[tuple[int, Messages]]) -> None:
        for row, messages in prompts:
            asked = json.dumps(messages, ensure_ascii=False)
            digest = hashlib.sha256(f"{self.identity}\0{asked}".encode()).hexdigest()
            known = self.journal.find(row, digest)
            reply = known or await self._ask(row, messages)
            self._check_alike(reply)
            if known is None:
                self.journal.add(row, digest, reply)
                self.num_asked += 1
            self.replies[row] = reply
            if reply.doubtful:
                self.doubtful.append(reply)
            if reply.text is None:
                self.unanswered.append(reply)
            self.check_rule(done=False)
            self.progress.update()

    async def _ask(self, row: int, messages: Messages) -> Reply:
        def read(completion: Mapping[str, Any]) -> Reply:
            reply = read_reply(completion, self.answers, self.ids, weighed=self.weighed)
            return replace(reply, model=str(completion.get("model") or ""))

        try:
            return await self.client.complete({**self.body, "messages": messages}, read)
        except UnansweredError as error:
            return Reply(None, None, False, seen=str(error))
        except ReplyError as error:
            raise self.client.error(f"prompt {row}: {error}") from None

    def _check_alike(self, reply: Reply) -> None:
        """Raise UserError where replies are of two models, or only some have log-probabilities."""
        if reply.text is None:
            return
        self.model = self.model or reply.model
        if reply.model not in ("", self.model):
            raise self.client.error(
                f"some replies are of the model {self.model!r} and some of {reply.model!r}; one "
                "table cannot hold both; ask for a model that the server never replaces (where it "
                f"now does not, remove {self.journal.path} to ask all again)"
            )
        self.answered = self.answered or reply
        if (self.answered.logprobs is None) != (reply.logprobs is None):
            raise self.client.error(
                "some replies hold log-probabilities and some do not; one table cannot hold both; "
                f"use a server that treats all requests alike (where it now does, remove "
                f"{self.journal.path} to ask all again), or set score.api_top_logprobs: 0 for the "
                "texts alone"
            )

    def without_answer(self) -> str:
        """How many prompts have none, and what the server says of the last."""
        return (
            f"{len(self.unanswered)} of {len(self.replies)} prompts got no answer, the last: "
            f"{self.unanswered[-1].seen}"
        )

    def check_rule(self, *, done: bool) -> None:
        """Raise UserError where as a rule there is no answer, or nothing known of the answers."""
        num = len(self.replies)
        if _is_rule(len(self.unanswered), num, *_UNANSWERED, done=done):
            raise self.client.error(
                f"{self.without_answer()}; change the server's content filter or choose another "
                "server; what was answered is kept: the same command asks only for the rest"
            )
        if _is_rule(len(self.doubtful), num, *_DOUBTFUL, done=done):
            self.journal.forget()
            raise self.client.error(
                f"the first position of {len(self.doubtful)} of {num} replies does not list two "
                f"of the answers {', '.join(map(repr, self.answers))}, or the text begins behind "
                f"it; the last lists {self.doubtful[-1].seen}; it was asked for "
                f"{self.body['top_logprobs']} tokens (score.api_top_logprobs, mostly up to 20); "
                "let the server list them by their texts, with the chat template of the model "
                "that is scored, or set score.api_top_logprobs: 0 to score by the texts alone"
            )


def _is_rule(count: int, num: int, share: float, roots: int, *, done: bool) -> bool:
    """Whether `count` of `num` is more than a share; before all are done, far more."""
    return count > share * num + (0 if done else roots * math.sqrt(num))
