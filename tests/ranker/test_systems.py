"""The names of systems."""

import pytest

from newsrec.errors import UserError
from newsrec.ranker.systems import WORDS, in_words, ordered
from tests.report.reading import HOSTILE


def test_names_have_the_order_of_a_report_and_others_follow() -> None:
    assert ordered(["bm25", "mine", "sft", "exact", "sft"]) == ["exact", "sft", "bm25", "mine"]
    assert ordered(WORDS) == list(WORDS)
    assert in_words("mine") == "mine"


@pytest.mark.parametrize("name", [HOSTILE, "", "a b", "a/b"])
def test_a_name_is_a_word(name: str) -> None:
    with pytest.raises(UserError, match="expected a name of letters"):
        ordered(["sft", name])
