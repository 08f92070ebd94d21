"""Text from outside, as a report shows it."""

from newsrec.report.text import code, percent, printable, shortened, text_width


def test_a_name_is_never_cut_between_a_letter_and_its_marks() -> None:
    for text in (
        "हिन्दी समाचार",
        "ที่นี่มีข่าว",
        "cafe\u0301 noe\u0308l",
        "👨\u200d👩\u200d👧\u200d👦👩🏽\u200d🚀🇩🇪🇫🇷",
    ):
        whole = {text[:end] for end in range(len(text) + 1)}
        for width in range(1, 12):
            cut = shortened(text, width).removesuffix("\u2026")
            assert cut in whole
            assert not text[len(cut) :].startswith(
                (
                    "\u0301",
                    "\u0308",
                    "\u200d",
                    "🏽",
                    "🇪",
                    "\u0e34",
                    "\u0e48",
                    "\u0e35",
                    "ि",
                    "ी",
                    "\u094d",
                )
            )
            assert not cut.endswith("\u200d")


def test_a_mark_takes_no_column() -> None:
    assert text_width("cafe\u0301") == text_width("café") == 4
    assert text_width("ที่นี่") == 2
    assert text_width("中文 ab 🚀 🇩🇪 👩🏽\u200d🚀") == 4 + 4 + 2 + 1 + 2 + 1 + 2
    assert shortened("ที่นี่", 2) == "ที่นี่"


def test_a_name_of_marks_alone_is_cut_too() -> None:
    assert len(shortened("a" + "\u0301" * 1000, 10)) <= 41


def test_joiners_are_printed_and_nothing_changes_the_direction_of_what_follows() -> None:
    assert printable("می\u200cروم ශ්\u200dරී") == "می\u200cروم ශ්\u200dරී"
    assert printable("ספורט\u200f \u200eC++") == "ספורט C++"
    assert printable("a\u202eb\u2066c\x07") == "a\ufffdb\ufffdc\ufffd"
    assert code("a|हि") == "<code>a&#124;ह&#2367;</code>"


def test_a_small_share_has_two_digits_in_percent() -> None:
    assert [percent(share) for share in (0, 0.0042, 0.01, 1)] == [
        "0.0 %",
        "0.42 %",
        "1.0 %",
        "100.0 %",
    ]
