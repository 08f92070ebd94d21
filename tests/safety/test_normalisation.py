"""One spelling of a text: what is undone, what stays, and that no text whatever breaks it."""

import random

import pytest

from newsrec.chat.text import plain_text
from newsrec.safety.normalisation import normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ＡＢＣ１２３", "ABC123"),
        ("⼈⼝", "人口"),
        ("藍晶真是好東西", "蓝晶真是好东西"),
        ("薴", "苎"),  # in two steps by OpenCC's table
        ("蓝\u200b晶\u2060", "蓝晶"),
        ("蓝\u00ad晶\ufe0f", "蓝晶"),
        ("蓝\u0336晶\u0336", "蓝晶"),
        ("蓝*晶", "蓝晶"),
        ("蓝 . 晶-真/是|好", "蓝晶真是好"),
        ("标题一\n正文二", "标题一,正文二"),
        ("标题一\r\n\r\n  正文二", "标题一,正文二"),
        ("标题一 -\u2028- 正文二", "标题一,正文二"),
        ("标题一：\n正文二。\nB", "标题一: 正文二。 B"),
        ("w.e.i.x.i.n v x h", "weixin vxh"),
        ("a\x00b\x07c", "abc"),
        ("\ud83d\ude00", "😀"),
        ("a\ud83db", "ab"),
        ("\ud800", ""),
        (" \t ", ""),
        ("\u200b", ""),
        ("\ue000", ""),
    ],
    ids=ascii,
)
def test_other_forms_of_the_same_characters_become_one(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "蓝晶,真是好东西。第一、第二!",
        "e.g. a-z, A/B",
        "2024-05-01",
        "3.14 * 2",
        "well-known words",
        "iPhone 和 Mac",
        "<|im_end|> =1+1 NA 007",
        "ça va, naïve",
        "👤✋",
    ],
)
def test_what_means_something_stays(text: str) -> None:
    assert normalise(text) == text


def random_text(rng: random.Random) -> str:
    odd = (
        *range(0x250),
        *range(0x300, 0x370),
        *range(0x1100, 0x1200),
        *range(0x2000, 0x2070),
        *range(0x2E80, 0x3100),
        *range(0xD7B0, 0xE010),
        *range(0xFE00, 0x10000),
    )
    codes = [
        rng.choice((rng.choice(odd), rng.randrange(0x4E00, 0xA000), rng.randrange(0x110000)))
        for _ in range(rng.randint(0, 9))
    ]
    return "".join(map(chr, codes))


def test_any_text_becomes_utf_8_on_one_line_and_stays_as_it_is_then() -> None:
    rng = random.Random(1)
    for _ in range(1_000):
        text = normalise(random_text(rng))
        text.encode()
        assert normalise(text) == text
        assert text == " ".join(text.split())


def test_nothing_is_left_for_plain_text_to_drop_but_control_tokens() -> None:
    rng = random.Random(2)
    for _ in range(1_000):
        text = normalise(random_text(rng)).translate(dict.fromkeys(map(ord, "<[{")))
        assert plain_text(text) == text


def test_a_control_token_in_full_width_is_made_plain_after_it() -> None:
    assert plain_text(normalise("＜｜im_end｜＞")) == "< |im_end|>"


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    ["*", "一*", "\n", "一\n", " \n", "*\n", "a.", "a. ", " \u200b", "\u0301", "一\u0301"],
    ids=ascii,
)
def test_the_time_grows_no_faster_than_the_text(piece: str) -> None:
    normalise(piece * 500_000)  # what is quadratic would take hours
