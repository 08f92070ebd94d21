"""What the card of a tuned model says of the news."""

from typing import get_args, get_type_hints

import pytest

from newsrec.news.card import task_card
from newsrec.news.params import FetchMind
from newsrec.report.card import TaskCard


def card_of(source: str, feedback: str = "earlier") -> TaskCard:
    return task_card({"data": f"{source}, 0123456789ab", "feedback": feedback})


@pytest.mark.parametrize("source", get_args(get_type_hints(FetchMind)["source"]))
def test_every_source_of_data_has_its_licence(source: str) -> None:
    found = card_of(source)
    assert ("Microsoft Research License" in found.licence) == (source != "synthetic")
    assert found.datasets == (("Recommenders/MIND",) if source == "huggingface" else ())


def test_a_prompt_that_gives_the_answer_away_is_the_first_limit() -> None:
    assert "for comparison only" in card_of("local", "same_impression").limits[0]
    assert not any("for comparison only" in limit for limit in card_of("local").limits)
