"""What a request to rank must be, before any model is asked."""

from pathlib import Path

import pytest

from newsrec.engines.settings import VllmSettings
from newsrec.errors import UserError
from newsrec.news.ranking import RankRequest, rank


@pytest.mark.parametrize("blank", ["", "  ", "\u200b", "\u3164", "\n"])
@pytest.mark.parametrize("name", ["candidates", "history", "liked", "disliked"])
def test_a_blank_title_is_refused_with_its_place(name: str, blank: str, tmp_path: Path) -> None:
    good = RankRequest(candidates=("A title", "Another"), history=("A third",))
    bad = RankRequest(**{"candidates": ("A title",), name: ("A title", blank)})
    (tmp_path / "model").mkdir()
    rankings = rank(
        [good, bad],
        VllmSettings("auto", 512, 0.9, 1, True, 8, 1),
        tmp_path / "model",
        tmp_path,
        num_history=3,
        num_feedback=3,
        max_prompt_tokens=512,
        max_answer_tokens=1,
    )
    with pytest.raises(UserError, match=f"request 2: {name}: title 2 is blank"):
        next(rankings)
