"""An OpenAI-compatible server, either started here or reached through a URL.

Such a server receives messages instead of token ids; for the use of its replies, see `api_replies`.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, repeat
from pathlib import Path
from typing import Any

from tqdm import tqdm

from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.api_client import Client, connect
from newsrec.engines.api_completions import UNCONSTRAINED, Completions, unconstrain
from newsrec.engines.api_replies import Journal, Reply, write_replies
from newsrec.engines.api_server import llamafactory_server
from newsrec.engines.request import Request
from newsrec.engines.settings import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE, ApiSettings
from newsrec.errors import UserError
from newsrec.files import sha256_folder

_SECONDS_TO_START = 900
# Incremented when replies are read differently, so that stored replies are requested again.
_READING = 2


@dataclass(frozen=True)
class Endpoint:
    """A model on a server.

    Attributes:
        url: the URL of the server, including `/v1`.
        key: the key for the server, if it requires one; never written anywhere.
        model: the server's name for it.
        fingerprint: of the model, if it is known, such as a digest of its files: replies of
            another model are not taken from the journal.
        top_logprobs: number of tokens that the server is asked to list; 0 for none.
        extra_body: added to each request.
        constrains: whether it can restrict answers to a prompt's choices, as vLLM's server can.
    """

    url: str
    key: str | None = field(repr=False)
    model: str
    fingerprint: str
    top_logprobs: int
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    constrains: bool = False


def answer(
    settings: ApiSettings, name: str, model: Path, request: Request, target: Path, work: Path
) -> dict[str, object]:
    """Answer every prompt with a server; see `newsrec.engines.answering.answer`.

    Returns:
        `scored_by`: logprobs, or text if there are none; `num_unlisted`: prompts for which an
        answer was not listed; `num_unanswered`: prompts that the server filtered or left empty;
        for a request with choices also `num_unconstrained`: prompts with choices but without a
        text, since the server does not constrain its output.

    Raises:
        UserError: there is no URL, the server cannot do its work, or a server could not
            distinguish the answers.
    """
    tokenizer = load_tokenizer(model)
    texts = [tokenizer.decode([token]) for token in request.answers]
    if len(set(texts)) < len(texts) or any("\ufffd" in text for text in texts):
        raise UserError(
            f"the answers' first tokens are {texts}, parts of characters, which cannot be "
            "distinguished in a server's list; set score.engine to vllm or transformers, which use "
            "token ids"
        )
    with _serving(settings, name, model, work) as endpoint:
        replies, _ = complete_all(endpoint, request, texts, settings, work)
    constrained = unconstrain(replies, request.choices)
    num_unconstrained = sum(reply is UNCONSTRAINED for reply in constrained)
    write_replies(constrained, target)
    if num_unconstrained:
        tqdm.write(
            f"warning: the server does not keep to the choices of a prompt, so {num_unconstrained} "
            "prompts have only free text instead of a choice",
            file=sys.stderr,
        )
    return {
        "scored_by": "logprobs" if any(reply.logprobs for reply in replies) else "text",
        "num_unlisted": sum(reply.unlisted for reply in replies),
        "num_unanswered": sum(
            reply.text is None and reply is not UNCONSTRAINED for reply in replies
        ),
        **({"num_unconstrained": num_unconstrained} if any(request.choices) else {}),
    }


@contextmanager
def _serving(settings: ApiSettings, name: str, model: Path, work: Path) -> Iterator[Endpoint]:
    """The server in the settings, for as long as the block runs."""
    fingerprint = sha256_folder(model)
    if settings.server == "llamafactory":
        server = llamafactory_server(
            model, settings.template, settings.port, work, _SECONDS_TO_START, dtype=settings.dtype
        )
        with server as url:
            # It never lists log-probabilities.
            yield Endpoint(url, None, str(model), fingerprint, top_logprobs=0)
        return
    url_behind = os.environ.get(URL_VARIABLE)
    if url_behind is None:
        raise UserError(
            f"score.api_server is url, but {URL_VARIABLE} is not set; set it to the server's "
            "URL including /v1, or set score.api_server to llamafactory"
        )
    yield Endpoint(
        url_behind,
        os.environ.get(KEY_VARIABLE),
        os.environ.get(f"{MODEL_VARIABLE}{name.upper()}") or str(model),
        fingerprint,
        settings.top_logprobs,
        settings.extra_body,
        constrains=settings.turns_thinking_off,
    )


def complete_all(
    endpoint: Endpoint,
    request: Request,
    answers: Sequence[str],
    settings: ApiSettings,
    work: Path,
) -> tuple[list[Reply], int]:
    """Send every prompt that is not yet in the journal in `work`.

    After an interruption of any kind, the same call sends only the remaining prompts.

    Args:
        endpoint: the server.
        request: the prompts; their messages are sent.
        answers: the text of each answer's first token, in the request's order.
        settings: the settings of the engine.
        work: an existing folder, for the journal.

    Returns:
        The replies in the order of the prompts, and how many of them were requested.

    Raises:
        UserError: the server cannot be reached or refuses, a reply cannot be used, replies are from
            two models, only some have log-probabilities, or too many replies do not list the
            answers or are missing.
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

    async def run(journal: Journal, progress: "tqdm[Any]") -> Completions:
        async with connect(
            endpoint.url,
            endpoint.key,
            timeout=settings.timeout,
            concurrency=settings.concurrency,
        ) as http:
            client = Client(
                http, endpoint.model, endpoint.key, settings.max_tries, settings.first_wait
            )
            completions = Completions(
                client,
                journal,
                progress,
                body,
                identity,
                answers,
                request.answers,
                weighed,
                endpoint.constrains,
            )
            choices = request.choices or repeat(())
            prompts = zip(count(), request.prompts.messages(), choices, strict=False)
            async with asyncio.TaskGroup() as group:
                for _ in range(settings.concurrency):
                    group.create_task(completions.answer_next(prompts))
        completions.check_rule(done=True)
        if completions.model not in ("", endpoint.model):
            tqdm.write(
                f"warning: {endpoint.url} answered as the model {completions.model!r}, but "
                f"{endpoint.model!r} was requested; check that this is another name of the same "
                "model",
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
            raise group.exceptions[0] from None  # the others were cancelled or failed too
    return [done.replies[row] for row in range(len(done.replies))], done.num_asked
