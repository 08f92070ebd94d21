"""An OpenAI-compatible server: one that is started here, or one behind a URL.

Such a server gets messages, not token ids; what its replies are worth: `api_replies`.
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
# Raised when replies are read in another way: what was stored by the old one is asked again.
_READING = 2


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
        constrains: whether it writes one of a prompt's choices, as vLLM's server.
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
    """Answer every prompt by a server; see `newsrec.engines.answering.answer`.

    Returns:
        `scored_by`: logprobs, or text where there are none; `num_unlisted`: prompts of which an
        answer was not listed; `num_unanswered`: prompts that the server filtered or left empty;
        of a request with choices also `num_unconstrained`: prompts with choices and no text,
        since the server does not constrain what it writes.

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
    constrained = unconstrain(replies, request.choices)
    num_unconstrained = sum(reply is UNCONSTRAINED for reply in constrained)
    write_replies(constrained, target)
    if num_unconstrained:
        tqdm.write(
            f"warning: the server does not keep to the choices of a prompt, so {num_unconstrained} "
            "prompts have no choice, only free text",
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
