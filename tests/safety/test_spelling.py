"""How a text is spelled: what people write every day is ordinary, what hides a word is not."""

import pytest

from newsrec.safety.corpus.synthetic import EVASIVE, TRADITIONAL, documents
from newsrec.safety.spelling import has_traditional, is_evasive
from newsrec.safety.tricks import rewrite


@pytest.mark.parametrize(
    "text",
    [
        *("“你好”，（真的）！……", "今天天气好 明天也好", "第一行\n第二行", "iPhone 15 发布了"),
        *("我\u2764\ufe0f你", "一家\U0001f468\u200d\U0001f469\u200d\U0001f467人", "a-z e.g. U.S."),
    ],
)
def test_punctuation_spaces_and_emoji_are_ordinary(text: str) -> None:
    assert not is_evasive(text)


@pytest.mark.parametrize(
    "text",
    [
        *("炸\u200b药", "炸*药", "炸 药 包", "v.x.h", "Ｃ盘", "１号", "\u2f55器"),
        *("炸\u00ad药", "炸\ue000药", "炸\ud800药"),
    ],
)
def test_what_hides_a_word_is_evasive(text: str) -> None:
    assert is_evasive(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("說話", True), ("说话", False), ("乾隆著作", False), ("", False)]
)
def test_a_character_that_is_simplified_too_is_not_traditional(text: str, expected: bool) -> None:
    assert has_traditional(text) is expected


def test_tricks_that_can_be_seen_are_and_ordinary_documents_are_ordinary() -> None:
    made = list(documents(600, seed=1))
    plain = [one.text for one in made if not {EVASIVE, TRADITIONAL} & set(one.tags)]
    assert len(plain) > 400
    assert not any(is_evasive(text) or has_traditional(text) for text in plain)
    for trick in ("separators", "zero-width"):
        assert sum(is_evasive(rewrite(text, trick, 1)) for text in plain) >= 0.99 * len(plain)
    written = [rewrite(text, "traditional", 1) for text in plain]
    assert sum(map(has_traditional, written)) >= 0.99 * len(plain)
    assert not any(map(is_evasive, written))
