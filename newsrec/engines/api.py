"""Scoring through an OpenAI-compatible server: one that is started here, or one behind a URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from newsrec.engines import openai_api
from newsrec.engines.api_server import llamafactory_server
from newsrec.engines.request import AnswerTokens, load_tokenizer
from newsrec.errors import UserError

_BATCH_ROWS = 10_000
_SECONDS_TO_START = 900
# What makes vLLM's server open the same empty think block as everywhere else; a server that was
# started here does so by its own settings.
_THINKING_OFF = {"chat_template_kwargs": {"enable_thinking": False}}


def score(
    model: Path,
    prompts: Path,
    answers: Path,
    tokens: AnswerTokens,
    *,
    work: Path,
    server: str,
    url: str | None,
    key: str | None,
    served_as: str | None,
    port: int,
    template: str,
    fingerprint: str,
    dtype: str,
    max_answer_tokens: int,
    top_logprobs: int,
    concurrency: int,
    max_tries: int,
    timeout: float,
    turns_thinking_off: bool,
) -> dict[str, object]:
    """Answer every prompt by a server and write the answers in the same order.

    Args:
        model: folder of the model; served by LLaMA-Factory where `server` is `llamafactory`.
        prompts: Parquet file of `PROMPTS_SCHEMA`; the messages are sent.
        answers: Parquet file to write, of `ANSWERS_SCHEMA`.
        tokens: the two tokens whose log-probabilities are wanted, which a server names by text.
        work: for the journal and the server's log.
        server: `llamafactory` starts one; `url` uses the one behind `url`.
        url: up to and with `/v1`; needed where `server` is `url`.
        key: of the server behind `url`, if it wants one; never written anywhere.
        served_as: its name for the model; the folder's path where it is None.
        port: of a server that is started here.
        template: LLaMA-Factory's name of the chat template.
        fingerprint: of the model's files.
        dtype: of a server that is started here.
        max_answer_tokens: of the text answer.
        top_logprobs: as `newsrec.engines.openai_api.score`, like the next three.
        turns_thinking_off: send vLLM's `chat_template_kwargs` to the server behind `url`.

    Returns:
        Whether the scores are of log-probabilities or of text, and how many answers' tokens the
        server did not list.

    Raises:
        UserError: `url` is missing, or the server cannot do its work.
    """

    def messages() -> Iterator[str]:
        for batch in pq.ParquetFile(prompts).iter_batches(_BATCH_ROWS, columns=["message"]):
            yield from batch["message"].to_pylist()

    @contextmanager
    def serving() -> Iterator[str]:
        if server == "llamafactory":
            with llamafactory_server(
                model, template, port, work, _SECONDS_TO_START, dtype=dtype
            ) as started:
                yield started
        elif url is None:
            raise UserError(
                "score.api_server is url, and NEWSREC_API_URL is not set; set it to the server's "
                "address with /v1, or score.api_server to llamafactory"
            )
        else:
            yield url

    started_here = server == "llamafactory"
    tokenizer = load_tokenizer(model)
    with serving() as address:
        scored = openai_api.score(
            served_as if served_as and not started_here else str(model),
            messages(),
            answers,
            yes=tokenizer.decode([tokens.yes]),
            no=tokenizer.decode([tokens.no]),
            url=address,
            key=None if started_here else key,
            work=work,
            fingerprint=fingerprint,
            num_messages=pq.ParquetFile(prompts).metadata.num_rows,
            max_answer_tokens=max_answer_tokens,
            # LLaMA-Factory's server lists none, whatever it is asked.
            top_logprobs=0 if started_here else top_logprobs,
            extra_body=_THINKING_OFF if turns_thinking_off and not started_here else {},
            concurrency=concurrency,
            max_tries=max_tries,
            timeout=timeout,
        )
    return {"scored_by": scored.scored_by, "num_unlisted": scored.num_unlisted}
