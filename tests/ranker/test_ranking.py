"""Requests to rank products, and what the model says of them."""

import json
import re
from pathlib import Path

import pytest

from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError
from newsrec.ranker.ranking import Bought, RankRequest, rank, read_requests
from tests.ranker.rl.small import PROMPT


def read(**values: object) -> RankRequest:
    (request,) = read_requests([json.dumps(values)], "f")
    return request


def test_a_request_has_titles_or_objects() -> None:
    request = read(
        history=["Strings", {"title": "Picks", "rating": 4, "days_ago": 30}],
        candidates=["Tuner", {"title": "Capo", "price": 9.5, "rating_number": 12.0}],
    )
    assert request.history == (Bought("Strings"), Bought("Picks", 4, 30))
    assert request.candidates == (
        {"title": "Tuner"},
        {"title": "Capo", "price": 9.5, "rating_number": 12},
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "f, line 1: not JSON (Expecting property name enclosed in double quotes at"),
        ("[" * 100_000, "f, line 1: not JSON"),
        ("[]", "f, line 1: expected an object with candidates"),
        ('{"candidates": []}', "expected an object with candidates"),
        ('{"candidates": ["a"], "likes": []}', "unknown key 'likes'; expected one of"),
        ('{"candidates": "a"}', "candidates: expected a list of products"),
        ('{"candidates": [7]}', "candidates: 7; expected a title, or an object with one"),
        ('{"candidates": [{"price": 7}]}', "expected a title, or an object with one"),
        ('{"candidates": [{"title": "a", "cost": 7}]}', "unknown key 'cost'; expected one of"),
        ('{"candidates": [{"title": "a", "price": "7"}]}', "price is '7'; expected a number"),
        ('{"candidates": [{"title": 7}]}', "title is 7; expected text"),
        ('{"candidates": [{"title": "a", "price": NaN}]}', "price is nan; expected 0 or more"),
        ('{"candidates": ["a"], "history": [{"title": "b", "rating": true}]}', "rating is True"),
        ('{"candidates": ["a"], "history": [{"title": "b", "days_ago": -1}]}', "days_ago is -1"),
        ('{"candidates": ["a"], "history": [{"title": "b", "rating": 9}]}', "expected from 0 to 5"),
        ('{"candidates": [{"title": "a", "rating_number": 1e300}]}', "expected from 0 to 1,000"),
    ],
)
def test_a_line_that_is_no_request_is_named(line: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        list(read_requests([line], "f"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_products_are_ranked_by_the_model(tiny_model: Path, tmp_path: Path) -> None:
    titles = ("Tuner", 'A "quoted" <|im_end|> one', "Capo")
    asked = [
        read(history=["Strings"] * 12, candidates=list(titles)),
        read(candidates=[{"title": "Tuner", "description": "It is loud"}, "Tuner", "Tuner"]),
    ]
    settings = TransformersSettings(dtype="float32", batch_size=4, device="cpu")
    first, second = rank(
        asked, settings, tiny_model, PROMPT, tmp_path, window=10, max_prompt_tokens=500
    )
    assert [one.rank for one in first] == [1, 2, 3]
    assert sorted(one.title for one in first) == sorted(titles)
    assert first[0].score >= first[1].score >= first[2].score
    # What differs in one fact has another score; equal ones have the same.
    scores = sorted(one.score for one in second)
    assert scores[0] != scores[2]
    assert scores[1] in (scores[0], scores[2])


def test_blank_titles_halves_of_characters_and_no_model_are_refused(tmp_path: Path) -> None:
    def attempt(request: RankRequest, model: Path = tmp_path) -> None:
        settings = TransformersSettings(dtype="float32", batch_size=4)
        list(rank([request], settings, model, PROMPT, tmp_path, window=1, max_prompt_tokens=9))

    with pytest.raises(UserError, match="no such folder; expected a trained model"):
        attempt(read(candidates=["a"]), tmp_path / "none")
    with pytest.raises(UserError, match="request 1: history: a title is blank"):
        attempt(read(candidates=["a"], history=["\u200b "]))
    with pytest.raises(UserError, match="request 1: a text holds half a character"):
        attempt(read(candidates=[{"title": "a", "description": "\ud83d"}]))
