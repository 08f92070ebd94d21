"""Scoring by any server that speaks OpenAI's chat completions, on this machine or elsewhere.

Such a server gets messages, not token ids, and lists only the most probable tokens. An answer whose
token is not listed gets the log-probability of the least probable token that is: it cannot have
more, so the score errs towards "don't know", and two that are not listed are equal. Such rows are
counted. A server that returns no log-probabilities at all, as LLaMA-Factory's, leaves the text.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.engines.openai_client import Client, connect
from newsrec.engines.request import ANSWERS_SCHEMA
from newsrec.errors import UserError

_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Scored:
    """What was answered: how many prompts, how many of them anew, and what the answers are worth.

    `num_unlisted` of them lack the log-probability of one answer or both (see the module).
    """

    num_answers: int
    num_asked: int
    num_unlisted: int
    scored_by: Literal["logprobs", "text"]


@dataclass(frozen=True)
class _Answer:
    logprob_yes: float | None
    logprob_no: float | None
    text: str
    unlisted: bool


def score(
    model: str,
    messages: Iterable[str],
    answers: Path,
    *,
    yes: str,
    no: str,
    url: str,
    key: str | None,
    work: Path,
    fingerprint: str,
    num_messages: int,
    max_answer_tokens: int,
    top_logprobs: int,
    extra_body: Mapping[str, Any],
    concurrency: int,
    max_tries: int,
    timeout: float,
    first_wait: float = 1.0,
) -> Scored:
    """Answer every message with the server's model and write the answers in the same order.

    What was answered stands in a journal in `work`: after an end of any kind the same call asks
    only for the rest. Neither the journal nor the answers hold the messages or the key.

    Args:
        model: the server's name for it.
        messages: the user turn of each chat.
        answers: Parquet file to write, of `ANSWERS_SCHEMA`; the log-probabilities are null where
            the server returns none.
        yes: text of the token that one answer begins with.
        no: text of the token that the other answer begins with.
        url: up to and with `/v1`.
        key: the server's, if it wants one.
        work: an existing folder, for the journal.
        fingerprint: of what stands behind the name, where it is known, like a digest of the model's
            files: answers of another one are not taken from the journal.
        num_messages: for the progress bar.
        max_answer_tokens: of the text answer, decoded greedily.
        top_logprobs: how many tokens the server is to list; 20 is the most that OpenAI allows, and
            0 asks for none.
        extra_body: added to each request. vLLM wants `{"chat_template_kwargs": {"enable_thinking":
            false}}` for the prompt that `encode_chat` makes; others may refuse it.
        concurrency: requests under way at once.
        max_tries: of one request; only what may pass (429, 5xx, time-outs) is tried again.
        timeout: seconds of silence after which a request has failed.
        first_wait: seconds before the second try; doubled each time, longer if the server asks.

    Raises:
        UserError: the server cannot be reached or refuses, its reply is no chat completion, the
            model thinks before it answers, or only some answers have log-probabilities.
    """
    body = {
        **extra_body,
        "model": model,
        "temperature": 0,
        "max_tokens": max_answer_tokens,
        **({"logprobs": True, "top_logprobs": top_logprobs} if top_logprobs else {}),
    }
    settings = json.dumps([url, body, yes, no, fingerprint], sort_keys=True)
    found: dict[int, _Answer] = {}
    kinds: set[bool] = set()
    num_asked = 0

    async def answer_all() -> None:
        async with connect(url, key, timeout=timeout, concurrency=concurrency) as http:
            client = Client(http, model, key, max_tries, first_wait)
            rows = enumerate(messages)

            async def answer_next() -> None:
                nonlocal num_asked
                for row, message in rows:  # one iterator for all: each takes what comes next
                    digest = hashlib.sha256(f"{settings}\0{message}".encode()).hexdigest()
                    answer = journal.find(row, digest)
                    if answer is None:
                        asked = {**body, "messages": [{"role": "user", "content": message}]}
                        answer = _read_answer(client, row, await client.complete(asked), yes, no)
                        journal.add(row, digest, answer)
                        num_asked += 1
                    found[row] = answer
                    kinds.add(answer.logprob_yes is None)
                    if len(kinds) > 1:
                        raise client.error(
                            "some replies hold log-probabilities and some do not; one table cannot "
                            "hold both; use a server that treats all requests alike, or set "
                            "score.api_top_logprobs: 0 for the texts alone"
                        )
                    progress.update()

            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(answer_next())

    with (
        _Journal(work / "journal.jsonl") as journal,
        tqdm(total=num_messages, desc=model, unit="prompt") as progress,
    ):
        try:
            asyncio.run(answer_all())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # the rest was cancelled, or failed likewise
    in_order = [asdict(found[row]) for row in range(len(found))]
    with pq.ParquetWriter(answers, ANSWERS_SCHEMA) as writer:
        for start in range(0, len(in_order), _BATCH_ROWS):
            batch = in_order[start : start + _BATCH_ROWS]
            writer.write_table(pa.Table.from_pylist(batch, schema=ANSWERS_SCHEMA))
    return Scored(
        num_answers=len(found),
        num_asked=num_asked,
        num_unlisted=sum(answer.unlisted for answer in found.values()),
        scored_by="text" if True in kinds else "logprobs",
    )


class _Journal:
    """Answers as lines of JSON, each written as soon as it is there."""

    def __init__(self, path: Path) -> None:
        self._found: dict[int, tuple[str, _Answer]] = {}
        path.touch()
        content = path.read_bytes()
        # A kill leaves the last line torn, and the next one must not be glued to it.
        whole = content[: content.rfind(b"\n") + 1]
        os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row, digest, *values = json.loads(line)
                self._found[row] = digest, _Answer(*values)
            except (ValueError, TypeError):
                raise UserError(
                    f"{path}:{number}: expected an answer as JSON; remove the file to ask anew"
                ) from None
        self._stream = path.open("a", encoding="utf-8")

    def __enter__(self) -> "_Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def find(self, row: int, digest: str) -> _Answer | None:
        known, answer = self._found.get(row, ("", None))
        return answer if known == digest else None

    def add(self, row: int, digest: str, answer: _Answer) -> None:
        self._stream.write(json.dumps([row, digest, *asdict(answer).values()]) + "\n")
        self._stream.flush()  # to the system, which outlives a kill -9 of this process


def _read_answer(client: Client, row: int, reply: Mapping[str, Any], yes: str, no: str) -> _Answer:
    try:
        choice = reply["choices"][0]
        text = choice["message"]["content"] or ""
        thoughts = choice["message"].get("reasoning_content")
        positions = (choice.get("logprobs") or {}).get("content")
        if text.lstrip().startswith("<think>") or thoughts:
            raise client.error(
                "the model thinks before it answers, so no answer stands at the first position; "
                "turn thinking off at the server, or choose another model"
            )
        return (
            _weigh(positions[0], text, yes, no) if positions else _Answer(None, None, text, False)
        )
    except (LookupError, TypeError, AttributeError, ValueError):
        raise client.error(
            f"prompt {row}: expected a chat completion as OpenAI's, found {str(reply)[:300]}; "
            "choose another server"
        ) from None


def _weigh(first: Mapping[str, Any], text: str, yes: str, no: str) -> _Answer:
    """The answer with both log-probabilities, from the first position of the reply."""
    # The least probable first: where two tokens have one text, the more probable one stays.
    listed = sorted([first, *first["top_logprobs"]], key=lambda entry: float(entry["logprob"]))
    logprobs = {_token_text(entry): float(entry["logprob"]) for entry in listed}
    bound = float(listed[0]["logprob"])
    unlisted = yes not in logprobs or no not in logprobs
    return _Answer(logprobs.get(yes, bound), logprobs.get(no, bound), text, unlisted)


def _token_text(entry: Mapping[str, Any]) -> str:
    """A token's text; `bytes` tell it where `token` is the vocabulary's own spelling of it."""
    given = entry.get("bytes")
    return bytes(given).decode(errors="replace") if given else str(entry["token"])
