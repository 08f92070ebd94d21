"""How a text is spelled, by what is in the text itself: for slices of any source."""

from functools import cache

import regex

from newsrec.safety.normalisation import simplified_forms

_HAN, _LETTER = r"\p{Script=Han}", r"\p{L}"
_SIGN = r"[*\u00b7\u30fb\u2022.\-_/|\\~^+=#]"
# Not an emoji's selectors and joiners, which have a picture on one side at least.
_INVISIBLE = (
    rf"(?<={_LETTER})[\p{{Default_Ignorable_Code_Point}}\p{{Cf}}\p{{Cs}}\p{{Co}}[\p{{Cc}}--\s]]+"
    rf"(?={_LETTER})"
)
# A sign between two characters; three characters or more, each apart; the same of Latin letters.
_BROKEN = (
    rf"(?<={_HAN}){_SIGN}+(?={_HAN})"
    rf"|(?<!{_LETTER}){_HAN}(?:\s{_HAN}){{2,}}(?!{_LETTER})"
    rf"|(?<![A-Za-z0-9])[A-Za-z](?:({_SIGN}|\s)[A-Za-z](?:\1[A-Za-z])+)(?![A-Za-z0-9])"
)
# Full-width digits and letters, and radicals that look like characters.
_OTHER_FORM = r"[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\u2f00-\u2fd5]"
_EVASIVE = regex.compile(rf"(?V1){_INVISIBLE}|{_BROKEN}|{_OTHER_FORM}")


def is_evasive(text: str) -> bool:
    """Whether characters in it hide a word from a filter and not from a reader.

    Invisible ones or signs inside a word, full-width letters or digits. Punctuation is none,
    full-width or not; what changes a word itself (pinyin, homophones, emoji) cannot be seen.
    """
    return _EVASIVE.search(text) is not None


def has_traditional(text: str) -> bool:
    """Whether it has a traditional character; one that is in use as simplified too is none."""
    return not _traditional().isdisjoint(text)


@cache
def _traditional() -> frozenset[str]:
    return frozenset(old for old, forms in simplified_forms().items() if old not in forms)
