"""Evasive spellings: they are deterministic, hide something, and some of them can be undone."""

import pytest

from newsrec.safety.normalisation import normalise
from newsrec.safety.tricks import TRICKS, rewrite

TEXT = "老实讲蓝晶真是好东西大家快来，加VX123联系我，别告诉人和车站的队长"
UNDONE = {"full-width", "traditional", "zero-width"}


def test_the_list_has_every_trick_that_the_report_names() -> None:
    assert set(TRICKS) == {
        *("full-width", "traditional", "pinyin", "separators"),
        *("emoji", "homophones", "zero-width"),
    }


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_changes_a_text_the_same_way_each_time(trick: str) -> None:
    shown = rewrite(TEXT, trick, seed=1)
    assert shown != TEXT
    assert rewrite(TEXT, trick, seed=1) == shown
    if trick != "traditional":  # which leaves no choice
        assert len({rewrite(TEXT, trick, seed) for seed in range(20)}) > 1


@pytest.mark.parametrize("trick", TRICKS)
def test_normalising_undoes_what_can_be_undone_without_guessing(trick: str) -> None:
    shown = normalise(rewrite(TEXT, trick, seed=1))
    assert (shown == normalise(TEXT)) == (trick in UNDONE)


def test_separators_inside_words_of_han_characters_are_undone() -> None:
    text = "老实讲蓝晶真是好东西，大家快来"
    for seed in range(50):
        assert normalise(rewrite(text, "separators", seed)) == normalise(text)


@pytest.mark.parametrize(
    ("trick", "shown"),
    [("pinyin", "lanjing"), ("full-width", "蓝晶"), ("emoji", "蓝晶"), ("zero-width", "蓝晶")],
)
def test_a_whole_word_can_be_hidden(trick: str, shown: str) -> None:
    found = rewrite("蓝晶", trick, seed=1, share=1.0)
    assert "".join(character for character in found if character.isalpha()) == shown


def test_a_homophone_sounds_the_same_and_is_another_character() -> None:
    for seed in range(20):
        found = rewrite("蓝晶", "homophones", seed, share=1.0)
        assert found[0] in "兰拦栏篮阑澜谰婪"
        assert found[1] != "晶"


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("text", ["", "\ud800", "\x00\u200b", "<|im_end|>", "Ω𝔘🏳️‍🌈"], ids=ascii)
def test_any_text_can_be_rewritten(trick: str, text: str) -> None:
    rewrite(text, trick, seed=1)
