"""Rank products for a person with a trained model: what the pipeline's result is used for."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.chat.text import plain_text
from newsrec.engines.settings import Settings
from newsrec.errors import UserError
from newsrec.ranker.params import Prompt
from newsrec.ranker.scoring import score_lists
from newsrec.ranker.tables import ITEMS_SCHEMA, LISTS_SCHEMA
from newsrec.ranking_requests import read_ranking_requests

_DAY = 24 * 3600 * 1000  # in ms
_NOW = 2**40  # any moment that ages can be subtracted from
# What a request may say of a product, and in which kind.
_TEXTS, _FIGURES = ("title", "description"), ("price", "average_rating", "rating_number")
_BOUGHT = {"title": str, "rating": float, "days_ago": float}
_HIGHEST = {"rating": 5, "average_rating": 5, "days_ago": 36_500, "rating_number": 10**12}


@dataclass(frozen=True)
class Bought:
    """A product that a person bought."""

    title: str
    rating: float = 5.0  # 1 to 5
    days_ago: float = 0.0


@dataclass(frozen=True)
class RankRequest:
    """What a person bought, oldest first, and the products to rank, as in `ITEMS_SCHEMA`."""

    candidates: tuple[Mapping[str, Any], ...]
    history: tuple[Bought, ...] = ()


@dataclass(frozen=True)
class Ranked:
    """A candidate with log P(Yes) - log P(No) as the model gives it; rank 1 is the best."""

    rank: int
    score: float
    title: str


def read_requests(lines: Iterable[str], where: str) -> Iterator[RankRequest]:
    """Requests from JSON lines, like `{"history": ["..."], "candidates": ["...", "..."]}`.

    A product is its title, or an object: of the history with `title`, `rating` and `days_ago`; of
    the candidates with `title`, `description`, `price`, `average_rating` and `rating_number`.

    Raises:
        UserError: a line is no such request; `where` names the file.
    """
    facts = {**dict.fromkeys(_TEXTS, str), **dict.fromkeys(_FIGURES, float)}
    names = ("candidates", "history")
    for here, values in read_ranking_requests(lines, where, names, "products"):
        yield RankRequest(
            tuple(_product(one, facts, f"{here}: candidates") for one in values["candidates"]),
            tuple(
                Bought(**_product(one, _BOUGHT, f"{here}: history"))
                for one in values.get("history", [])
            ),
        )


def rank(
    requests: Iterable[RankRequest],
    settings: Settings,
    model: Path,
    prompt: Prompt,
    work: Path,
    *,
    window: int,
    max_prompt_tokens: int,
) -> Iterator[list[Ranked]]:
    """Rank the candidates of each request by the model's score, the best first.

    Args:
        requests: any number of them; they are written to `work`.
        settings: of the engine.
        model: folder of the trained model.
        prompt: what is shown of a candidate, as in training.
        work: an existing folder.
        window: the last products of a history that are shown, as in training.
        max_prompt_tokens: what fits beside the answer.

    Returns:
        The ranking of each request in their order; equal scores keep the order given.

    Raises:
        UserError: there is no model, or a title is blank or no Unicode, or see
            `newsrec.ranker.scoring.score_lists`.
    """
    if not model.is_dir():
        raise UserError(f"{model}: no such folder; expected a trained model; make it: dvc repro")
    lists, items, predictions = (work / f"{name}.parquet" for name in ("lists", "items", "scores"))
    rows, products, titles = [], [], list[list[str]]()
    for number, request in enumerate(requests, start=1):
        _check_titles(request, f"request {number}")
        titles.append([one["title"] for one in request.candidates])
        shown = request.history[max(0, len(request.history) - window) :]
        ids = [f"{number}-{place}" for place in range(len(request.candidates) + len(shown))]
        named = [*request.candidates, *({"title": one.title} for one in shown)]
        products += [{"item": id_, **one} for id_, one in zip(ids, named, strict=True)]
        events = [
            {"item": id_, "rating": one.rating, "timestamp": _NOW - int(one.days_ago * _DAY)}
            for id_, one in zip(ids[len(request.candidates) :], shown, strict=True)
        ]
        candidates = ids[: len(request.candidates)]
        row = {"id": str(number), "user": "", "timestamp": _NOW, "history": events}
        rows.append({**row, "target": candidates[0], "candidates": candidates})
    pq.write_table(pa.Table.from_pylist(rows, schema=LISTS_SCHEMA), lists)
    pq.write_table(pa.Table.from_pylist(products, schema=ITEMS_SCHEMA), items)
    tables = {lists: predictions}
    score_lists(
        settings, "tuned", model, tables, items, prompt, work, max_prompt_tokens=max_prompt_tokens
    )
    scores = iter(pq.read_table(predictions, columns=["score"])["score"].to_pylist())
    for of_request in titles:
        scored = sorted(((next(scores), title) for title in of_request), key=lambda one: -one[0])
        yield [Ranked(place, score, title) for place, (score, title) in enumerate(scored, start=1)]


def _product(given: Any, kinds: Mapping[str, type], where: str) -> dict[str, Any]:
    """A product by its title alone or as an object, with numbers as such."""
    values = {"title": given} if isinstance(given, str) else given
    if not isinstance(values, dict) or "title" not in values:
        raise UserError(f"{where}: {given!r}; expected a title, or an object with one")
    found = {}
    for name, value in values.items():
        if name not in kinds:
            raise UserError(
                f"{where}: unknown key {name!r}; expected one of: {', '.join(sorted(kinds))}"
            )
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (isinstance(value, str) if kinds[name] is str else is_number):
            expected = "text" if kinds[name] is str else "a number"
            raise UserError(f"{where}: {name} is {value!r}; expected {expected}")
        highest = _HIGHEST.get(name, math.inf)
        if is_number and not (math.isfinite(value) and 0 <= value <= highest):
            at_most = f"from 0 to {highest:,}" if name in _HIGHEST else "0 or more"
            raise UserError(f"{where}: {name} is {value!r}; expected {at_most}")
        found[name] = round(value) if name == "rating_number" else value
    return found


def _check_titles(request: RankRequest, where: str) -> None:
    shown = [(one["title"], "candidates") for one in request.candidates]
    shown += [(one.title, "history") for one in request.history]
    for title, name in shown:
        if not plain_text(title):
            raise UserError(
                f"{where}: {name}: a title is blank ({title!r}); expected text; leave it out"
            )
    texts = [title for title, _ in shown] + [
        one.get("description", "") for one in request.candidates
    ]
    for text in texts:
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise UserError(
                f"{where}: a text holds half a character ({text!r}); expected UTF-8; correct it"
            )
