"""What a request to rank must be, before any model is asked."""

from pathlib import Path

import pytest

from newsrec.engines.settings import VllmSettings
from newsrec.errors import UserError
from newsrec.news.ranking import RankRequest, rank, read_requests


def asked(requests: list[RankRequest], tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    rankings = rank(
        requests,
        VllmSettings("auto", 512, 0.9, 1, True, 8, 1),
        tmp_path / "model",
        tmp_path,
        num_history=3,
        num_feedback=3,
        max_prompt_tokens=512,
        max_answer_tokens=1,
    )
    next(rankings)


@pytest.mark.parametrize("blank", ["", "  ", "\u200b", "\u3164", "\n"])
@pytest.mark.parametrize("name", ["candidates", "history", "liked", "disliked"])
def test_a_blank_title_is_refused_with_its_place(name: str, blank: str, tmp_path: Path) -> None:
    good = RankRequest(candidates=("A title", "Another"), history=("A third",))
    bad = RankRequest(**{"candidates": ("A title",), name: ("A title", blank)})
    with pytest.raises(UserError, match=f"request 2: {name}: title 2 is blank"):
        asked([good, bad], tmp_path)


def test_half_a_character_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"request 1: candidates: title 1 holds half a character"):
        asked([RankRequest(candidates=("\ud83d title",))], tmp_path)


@pytest.mark.parametrize(
    "line",
    ["{", "[" * 100_000, '{"candidates": ' + "9" * 5000 + "}", '{"candidates": "x"}', "[]", "null"],
    ids=["cut", "deep", "long", "text", "list", "null"],
)
def test_a_line_that_is_no_request_is_reported(line: str) -> None:
    with pytest.raises(UserError, match=r"in, line 1: "):
        list(read_requests([line], "in"))


def test_blank_lines_are_skipped_and_counted() -> None:
    lines = ["", '{"candidates": ["a"]}', " ", '{"candidates": ["b"], "history": ["c"]}', ""]
    assert list(read_requests(lines, "in")) == [
        RankRequest(("a",)), RankRequest(("b",), history=("c",))
    ]  # fmt: skip
    message = r"standard input, line 3: not JSON \(Expecting value at column 16\); correct it"
    with pytest.raises(UserError, match=message):
        list(read_requests([lines[1], "", '{"candidates": }'], "-"))
