"""Spellings that hide a text from a filter and not from a reader, each as a function.

All leave some of a text as it is: who hides a word does not hide all the words around it.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from opencc import OpenCC

# Han characters of everyday use, in the order of GB 2312: what homophones are taken from.
_COMMON = bytes(
    byte for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF) for byte in (high, low)
).decode("gb2312", "ignore")
_SEPARATORS = "*.·-_/| ~"
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_PICTURES = {
    **{"人": "👤", "手": "✋", "看": "👀", "头": "🗣", "心": "❤", "家": "🏠", "楼": "🏢"},
    **{"车": "🚗", "路": "🛣", "水": "💧", "火": "🔥", "药": "💊", "钱": "💰", "卖": "🛒"},
    **{"血": "🩸", "刀": "🔪", "枪": "🔫", "炸": "💣", "雷": "⚡", "旗": "🚩", "书": "📖"},
    **{"片": "🎬", "图": "🖼", "夜": "🌙", "花": "🌸", "桃": "🍑", "叶": "🍃", "票": "🎫"},
    **{"死": "💀", "爱": "💕", "好": "👍", "不": "🚫", "快": "💨", "来": "👉", "群": "👥"},
}
_DECORATIONS = "✨🔥💥🌟💯👇🎉🌈"

# A text, where the draws come from, and the share of its characters that is hidden.
Trick = Callable[[str, Random, float], str]


def full_width(text: str, rng: Random, share: float) -> str:
    """Letters, digits and signs in their full width, characters as their radicals."""
    forms = _full_width_forms()
    return _replace(text, forms.get, rng, share)


def traditional(text: str, rng: Random, share: float) -> str:
    """Traditional characters, by OpenCC: all of them, as who writes so does."""
    converted: str = _converter().convert(text)
    return converted


def pinyin(text: str, rng: Random, share: float) -> str:
    """The sound of a character in Latin letters."""
    return _replace(text, lambda character: _sound(character, False), rng, share)


def separators(text: str, rng: Random, share: float) -> str:
    """A sign between two characters of a word."""
    return _insert(text, _SEPARATORS, rng, share)


def emoji(text: str, rng: Random, share: float) -> str:
    """A picture for a character that has one, and pictures between the others."""
    shown = _replace(text, _PICTURES.get, rng, share)
    return _insert(shown, _DECORATIONS, rng, share)


def homophones(text: str, rng: Random, share: float) -> str:
    """Another everyday character of the same sound and tone."""

    def another(character: str) -> str | None:
        sound = _sound(character, True)
        others = [other for other in _by_sound().get(sound, "") if other != character]
        return rng.choice(others) if others else None

    return _replace(text, another, rng, share)


def zero_width(text: str, rng: Random, share: float) -> str:
    """A character that prints nothing between two characters of a word."""
    return _insert(text, _ZERO_WIDTH, rng, share)


TRICKS: dict[str, Trick] = {
    "full-width": full_width,
    "traditional": traditional,
    "pinyin": pinyin,
    "separators": separators,
    "emoji": emoji,
    "homophones": homophones,
    "zero-width": zero_width,
}


def rewrite(text: str, trick: str, seed: int, share: float = 0.5) -> str:
    """The text rewritten by the trick of that name; the same on every call.

    Args:
        text: any.
        trick: a key of `TRICKS`.
        seed: of which characters are hidden, and by what.
        share: of the characters that can be, how many are hidden, in [0, 1].
    """
    # Not by the text alone: other seeds hide other characters of it.
    return TRICKS[trick](text, Random(f"{seed}:{trick}:{text!a}"), share)


def _replace(text: str, other: Callable[[str], str | None], rng: Random, share: float) -> str:
    shown = []
    for character in text:
        hidden = other(character) if rng.random() < share else None
        shown.append(character if hidden is None else hidden)
    return "".join(shown)


def _insert(text: str, signs: str, rng: Random, share: float) -> str:
    """Signs between some of the letters that stand side by side."""
    shown = list(text[:1])
    for before, character in pairwise(text):
        if before.isalpha() and character.isalpha() and rng.random() < share:
            shown.append(rng.choice(signs))
        shown.append(character)
    return "".join(shown)


@cache
def _full_width_forms() -> dict[str, str]:
    # Unicode says of each radical, U+2F00 to U+2FD5, which character it is a form of.
    forms = {normalize("NFKC", chr(code)): chr(code) for code in range(0x2F00, 0x2FD6)}
    return forms | {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}


@cache
def _converter() -> "OpenCC":
    from opencc import OpenCC

    return OpenCC("s2t")


@cache
def _sound(character: str, with_tone: bool) -> str | None:
    """The commonest sound of a Han character; None where it is none."""
    from pypinyin import Style, pinyin

    found = pinyin(character, Style.TONE3 if with_tone else Style.NORMAL, errors="ignore")
    return found[0][0] if found else None


@cache
def _by_sound() -> dict[str | None, str]:
    groups: defaultdict[str | None, str] = defaultdict(str)
    for character in _COMMON:
        groups[_sound(character, True)] += character
    return dict(groups)
