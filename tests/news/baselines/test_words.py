"""Words in every script."""

import re
from pathlib import Path

import pytest

from newsrec.news.baselines.words import are_spaced, count_words, runs, words
from newsrec.news.mind.tables import read_news


@pytest.mark.parametrize(
    "text",
    [
        "Chef grills burgers near city hall",
        "It's 5 o'clock: \"We knew it\" – café №5 🚀",
        "Müller-Lüdenscheidt & Söhne GmbH, 3,5 % über Straße_1",
        "Donaudampfschifffahrtsgesellschaftskapitänsmütze",
        "https://example.org/a-b_c?d=e #TwoWords @name",
        "Łódź, Đakovo, þing, ½ x² 10€ 5\ufe0f\u20e3 ❤\ufe0f",
        "Привет, мир! Ελλάδα ΟΔΟΣ",
        "",
        "... !!!",
    ],
)
def test_words_between_spaces_are_runs_of_letters_and_digits(text: str) -> None:
    assert words(text) == re.findall(r"\w+", text.lower())


def test_words_of_the_made_up_news_are_runs_of_letters_and_digits(mind: Path) -> None:
    titles = [row.title for row in read_news(mind / "raw/train/news.tsv").values()]
    assert are_spaced(titles)
    for title in titles:
        assert words(title) == re.findall(r"\w+", title.lower())
        assert count_words(title) == len(title.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("हिन्दी में क्रिकेट", ["हिन्दी", "में", "क्रिकेट"]),
        ("தமிழ்நாடு செய்திகள்", ["தமிழ்நாடு", "செய்திகள்"]),
        ("ශ්\u200dරී ලංකාව", ["ශ්\u200dරී", "ලංකාව"]),
        ("র\u200d্যাব বাংলা", ["র\u200d্যাব", "বাংলা"]),
        ("می\u200cروم خانه", ["می\u200cروم", "خانه"]),
        ("مُدَرِّس جديد", ["مُدَرِّس", "جديد"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("İstanbul'da", ["istanbul", "da"]),
        ("Việt Nam", ["việt", "nam"]),
        ("서울에서 뉴스", ["서울에서", "뉴스"]),
        ("አዲስ አበባ", ["አዲስ", "አበባ"]),
    ],
)
def test_marks_and_joiners_are_a_part_of_their_word(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_letter_is_the_same_however_it_is_composed() -> None:
    for composed, other in [
        ("café", "cafe\u0301"),
        ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("nhk 24", "ＮＨＫ ２４"),
        ("ガンダム", "ｶﾞﾝﾀﾞﾑ"),
        ("葛城", "葛\U000e0100城"),
    ]:
        assert words(composed) == words(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("北京奥运会", ["北京", "京奥", "奥运", "运会"]),
        ("猫", ["猫"]),
        ("猫 on day 3", ["猫", "on", "day", "3"]),
        ("iPhone15发布会，2024年5G手机", ["iphone15", "发布", "布会", "2024", "年", "5g", "手机"]),
        ("ラーメンを食べる", ["ラー", "ーメ", "メン", "ンを", "を食", "食べ", "べる"]),
        ("𠮷野家", ["𠮷野", "野家"]),
        ("ที่นี่", ["ที่นี่"]),
        ("ประเทศ", ["ประ", "ระเ", "ะเท", "เทศ"]),
        ("ភាសា\u200bខ្មែរ", ["ភាសា", "ខ្មែរ"]),
        ("ลาว BBC ລາວ", ["ลาว", "bbc", "ລາວ"]),
    ],
)
def test_scripts_without_spaces_are_split_into_overlapping_characters(
    text: str, expected: list[str]
) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("text", ["မြန်မာနိုင်ငံ", "ประเทศไทยที่น้ำ", "ខ្មែរភាសាថ្មី", "ががが"])
def test_no_word_begins_with_a_mark_that_belongs_to_the_letter_before(text: str) -> None:
    marks = re.compile(
        "[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u17b6-\u17d3\u102d-\u1030\u1036-\u103e\u3099]"
    )
    for word in words(text):
        assert not marks.match(word)


def test_ngrams_are_grouped_by_their_run() -> None:
    assert runs("中文标题 by café") == [["中文", "文标", "标题"], ["by"], ["café"]]
    assert runs("thestorm", spaced=False) == [["thes", "hest", "esto", "stor", "torm"]]
    assert runs("the", spaced=False) == [["the"]]


def test_words_run_together_are_noticed_over_all_texts_and_no_single_long_word_is() -> None:
    titles = ["Chef grills burgers near city hall", "Storm soaks coast before sunrise"]
    together = ["".join(title.split()) for title in titles]
    assert are_spaced(titles)
    assert are_spaced([*titles, "Donaudampfschifffahrtsgesellschaft"])
    assert not are_spaced(together)
    assert not are_spaced([*together, "5 a b"])
    assert not are_spaced(["неттакоготекставгазетахобычно"])
    # Scripts without spaces say nothing about spaces, nor does a text without letters.
    assert are_spaced(["北京奥运会开幕式在国家体育场举行今晚八点直播精彩不容错过", "Obama访华"])
    assert are_spaced([])
    assert are_spaced(["🚀"])
    # Long words of one script in many code points: marks are no letters.
    assert are_spaced(["തിരുവനന്തപുരത്തെക്കുറിച്ച് പറഞ്ഞു"])


def test_words_are_counted_as_word_processors_do() -> None:
    assert count_words("It's a – dog") == 4
    assert count_words("北京 iPhone15发布") == 5
    assert count_words("ที่นี่") == 2
    assert count_words("") == 0
