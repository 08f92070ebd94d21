"""Rank titles for a reader with a trained model: what the pipeline's result is used for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.chat.text import plain_text
from newsrec.engines.settings import Settings
from newsrec.errors import UserError
from newsrec.news.mind.sample_files import PROMPTS_SCHEMA
from newsrec.news.mind.titles import is_blank
from newsrec.news.scoring import score_candidates
from newsrec.ranking_requests import read_ranking_requests


@dataclass(frozen=True)
class RankRequest:
    """What a reader clicked, liked and disliked, oldest first, and the titles to rank."""

    candidates: tuple[str, ...]
    history: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ranked:
    """A candidate with P(Yes) as the model gives it, not calibrated; rank 1 is the best."""

    rank: int
    probability: float
    title: str


def read_requests(lines: Iterable[str], where: str) -> Iterator[RankRequest]:
    """Requests from JSON lines, like `{"history": ["…"], "candidates": ["…", "…"]}`.

    Raises:
        UserError: a line is no such request; `where` names the file.
    """
    names = [entry.name for entry in fields(RankRequest)]
    for here, values in read_ranking_requests(lines, where, names, "titles"):
        for name, titles in values.items():
            if not all(isinstance(one, str) for one in titles):
                raise UserError(f"{here}: {name}: expected a list of titles")
        yield RankRequest(**{name: tuple(titles) for name, titles in values.items()})


def rank(
    requests: Iterable[RankRequest],
    settings: Settings,
    model: Path,
    work: Path,
    *,
    num_history: int,
    num_feedback: int,
    max_prompt_tokens: int,
    max_answer_tokens: int,
) -> Iterator[list[Ranked]]:
    """Rank the candidates of each request by the model's P(Yes), the best first.

    Args:
        requests: any number of them; they are written to `work`.
        settings: of the engine.
        model: folder of the tuned model.
        work: an existing folder.
        num_history: the last titles of a history that are shown, as in training.
        num_feedback: the last liked titles that are shown, and disliked ones.
        max_prompt_tokens: what fits beside the answer.
        max_answer_tokens: of the text answer.

    Returns:
        The ranking of each request in their order; equal probabilities keep the order given.

    Raises:
        UserError: there is no model, or a title is blank or no Unicode, or see
            `newsrec.news.scoring.score_candidates`.
    """
    if not model.is_dir():
        raise UserError(f"{model}: no such folder; expected a trained model; make it: dvc repro")
    candidates, predictions = work / "candidates.parquet", work / "predictions.parquet"
    titles: list[list[str]] = []
    with pq.ParquetWriter(candidates, PROMPTS_SCHEMA) as writer:
        for number, request in enumerate(requests):
            _check_titles(request, f"request {number + 1}")
            titles.append(list(request.candidates))
            shown = {
                "history": _last(request.history, num_history),
                "liked": _last(request.liked, num_feedback),
                "disliked": _last(request.disliked, num_feedback),
            }
            rows = [
                {
                    "impression_id": str(number),
                    "user_id": "",
                    "news_id": str(place),
                    "label": None,
                    **shown,
                    "target": plain_text(title),
                }
                for place, title in enumerate(request.candidates)
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=PROMPTS_SCHEMA))
    score_candidates(
        settings,
        "tuned",
        model,
        {candidates: predictions},
        work,
        max_prompt_tokens=max_prompt_tokens,
        max_answer_tokens=max_answer_tokens,
    )
    scores = iter(pq.read_table(predictions, columns=["score"])["score"].to_pylist())
    for of_request in titles:
        scored = sorted(((next(scores), title) for title in of_request), key=lambda one: -one[0])
        yield [Ranked(place, score, title) for place, (score, title) in enumerate(scored, start=1)]


def _check_titles(request: RankRequest, where: str) -> None:
    for entry in fields(RankRequest):
        for place, title in enumerate(getattr(request, entry.name), start=1):
            if is_blank(plain_text(title)):
                raise UserError(
                    f"{where}: {entry.name}: title {place} is blank ({title!r}); expected text; "
                    "leave it out"
                )
            if not title.isascii() and any("\ud800" <= char <= "\udfff" for char in title):
                raise UserError(
                    f"{where}: {entry.name}: title {place} holds half a character ({title!r}); "
                    "expected UTF-8; correct it"
                )


def _last(titles: tuple[str, ...], limit: int) -> list[str]:
    return [plain_text(title) for title in titles[max(0, len(titles) - limit) :]]
