"""Numbers and text from outside, formatted for a report."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import regex

DASH = "\u2013"
MINUS = "\u2212"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
# Common in Arabic and Hebrew; unlike the other bidirectional controls, they open no scope.
_DIRECTIONAL_MARKS = re.compile("[\u061c\u200e\u200f]")
_CHARACTER = regex.compile(
    r"\X"
)  # a grapheme cluster, such as a letter with its marks or a joined emoji


def printable(text: str) -> str:
    """`text` on one line; characters that HTML, XML or UTF-8 do not allow are replaced by U+FFFD.

    Bidirectional controls are replaced too, and directional marks, which are invisible, are
    removed: a name must not change the direction of the text after it.
    """
    return _UNPRINTABLE.sub("\ufffd", _DIRECTIONAL_MARKS.sub("", " ".join(text.split())))


def shortened(text: str, width: int) -> str:
    """`text` made printable and cut to `width` columns, never between a letter and its marks."""
    text, used = printable(text), 0
    for character in _CHARACTER.finditer(text):
        used += text_width(character[0])
        if used > width or character.end() > 4 * width:  # marks take no columns and can be numerous
            return text[: character.start()].rstrip() + "\u2026"
    return text


def text_width(text: str) -> int:
    """The columns that `text` takes: two for a wide character, none for a combining mark."""
    return sum(min(2, sum(map(_columns, found))) for found in _CHARACTER.findall(text))


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def score(value: float | None, digits: int = 3) -> str:
    """The value with `digits` digits after the decimal point; a dash for None."""
    if value is None:
        return DASH
    shown = f"{abs(value):.{digits}f}"
    return f"{MINUS}{shown}" if value < 0 and float(shown) else shown


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign, unless it is printed as zero."""
    shown = score(value, digits)
    return f"+{shown}" if float(f"{value:.{digits}f}") > 0 else shown


def percent(share: float) -> str:
    """A share in percent: one digit after the decimal point, or two below 1 %."""
    return f"{100 * share:.{1 if share >= 0.01 or share == 0 else 2}f} %"


def p_value(p: float) -> str:
    """p with three digits, never as zero."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def number(value: object) -> str:
    """A number with commas between thousands; a dash for None; other values are unchanged."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DASH if value is None else str(value)
    if isinstance(value, int) or value.is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def counted(count: float, noun: str) -> str:
    """`count` with a noun whose plural ends in s."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of a nested mapping in order, each with the keys that lead to it."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key} / ")
        else:
            yield f"{prefix}{key}", value


def key_words(key: str) -> str:
    """A key of a metrics file in words."""
    return re.sub(r"\bnum_", "", key).replace("_", " ")


def code(text: str) -> str:
    """`text` as inline code in a Markdown table, whatever characters it contains."""
    text = printable(text) or "(empty)"
    if not re.search(r"[`|\\]", text):
        return f"`{text}`"
    # A code span can contain neither a backtick nor, in a table, a bar. An entity can represent any
    # character and is never read as mark-up.
    coded = re.sub(r"[^\w .-]|_", lambda found: f"&#{ord(found[0])};", text)
    return f"<code>{coded}</code>"


def escaped(text: str) -> str:
    """`text` as plain words, without anything that Markdown or HTML would read as mark-up."""
    return "".join(
        char if char.isalnum() or char in " .,-" else f"&#{ord(char)};" for char in printable(text)
    )


def tiny_notice(model: Mapping[str, Any]) -> str:
    """A notice about the figures of the tiny model; empty for any other model.

    Args:
        model: the contents of metrics/fetch_model.json.
    """
    if model["source"] != "tiny":
        return ""
    return (
        f"This run used a tiny test model ({model['num_parameters']:,} parameters). It shows that "
        "the pipeline runs from end to end; its figures are not evidence about the method."
    )
