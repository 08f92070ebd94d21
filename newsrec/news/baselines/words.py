"""The words of a title in any script: what the baselines count, learn from and compare.

Where white space separates words, a word is a run of letters, digits and underscores together with
the marks and joiners on them: vowel signs are marks in most scripts of South Asia, and U+200C is
inside many Persian words. Symbols and emoji are no words.

Chinese, Japanese, Thai, Lao, Khmer and Burmese have no space between words. There the overlapping
pairs of characters are the words, as in Lucene's CJKAnalyzer (for Chinese they find as well as the
words of a dictionary: Nie, Gao, Zhang and Zhou, IRAL 2000), and triples where a letter is a single
sound. Data whose words are run together in another script gets four characters, the best length
for European languages (McNamee and Mayfield, Information Retrieval 7, 2004). A character is a
grapheme cluster (Unicode Standard Annex #29), so that no n-gram parts a letter from its marks.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import regex

# Half of the letters of MIND's titles are in words of up to 6; without spaces, in runs over 37.
_LONGEST_USUAL_WORD = 20
# Characters of an n-gram: of ideographs and kana, of complex scripts, and of words run together.
_LENGTHS = {"ideographs": 2, "complex": 3, "word": 4}

_MARKS = r"[\p{Mn}\p{Mc}\u200c\u200d\u180e]*"
_IDEOGRAPH = r"[[\p{Han}\p{Hiragana}\p{Katakana}\u30fc]&&[\p{L}\p{N}]]"
_COMPLEX = r"[\p{Line_Break=SA}&&\p{L}]"  # Unicode's class of the scripts of South East Asia
_RUN = regex.compile(
    rf"(?V1)(?P<ideographs>(?:{_IDEOGRAPH}{_MARKS})+)|(?P<complex>(?:{_COMPLEX}{_MARKS})+)"
    rf"|(?P<word>(?:[[\p{{L}}\p{{N}}_]--[{_IDEOGRAPH}{_COMPLEX}]]{_MARKS})+)"
)
_CHARACTER = regex.compile(r"\X")
_WORD_OF_ITS_OWN = regex.compile(rf"(?V1)[{_IDEOGRAPH}{_COMPLEX}]{_MARKS}")
_FULL_OR_HALF_WIDTH = regex.compile("[\uff01-\uffee]+")
# They choose between forms of one character.
_VARIATION_SELECTORS = regex.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def words(text: str, *, spaced: bool = True) -> list[str]:
    """The words of `text` in lower case and in their order, n-grams where it has no spaces.

    Args:
        text: any; composed (NFC) and in usual width before it is split.
        spaced: what `are_spaced` says of all titles; n-grams in every script if not.
    """
    return [word for run in runs(text, spaced=spaced) for word in run]


def runs(text: str, *, spaced: bool = True) -> list[list[str]]:
    """As `words`, by runs of letters: a list of one word, or of the n-grams of the run."""
    return [
        [match[0]] if match["word"] and spaced else _ngrams(match[0], _LENGTHS[match.lastgroup])
        for match in _RUN.finditer(_folded(text))
    ]


def are_spaced(texts: Iterable[str]) -> bool:
    """Whether spaces separate the words of these texts, in scripts that separate words at all.

    False where half of the letters are in runs of more than 20, far longer than words are: their
    writer, or whoever prepared the data, left the spaces out.
    """
    num_usual, num_long = 0, 0
    for text in texts:
        usual, long = _num_letters(text)
        num_usual += usual
        num_long += long
    return num_usual >= num_long


def count_words(text: str) -> int:
    """Words as word processors count them: what white space separates.

    In scripts without spaces each letter counts as one.
    """
    return len(_WORD_OF_ITS_OWN.sub(r" \g<0> ", text).split())


@lru_cache(maxsize=200_000)
def _num_letters(text: str) -> tuple[int, int]:
    """Letters in words of usual length and in longer ones, of scripts that have spaces."""
    lengths = [
        len(_CHARACTER.findall(match[0])) for match in _RUN.finditer(_folded(text)) if match["word"]
    ]
    usual = sum(length for length in lengths if length <= _LONGEST_USUAL_WORD)
    return usual, sum(lengths) - usual


def _folded(text: str) -> str:
    text = _FULL_OR_HALF_WIDTH.sub(lambda wide: unicodedata.normalize("NFKC", wide[0]), text)
    text = unicodedata.normalize("NFC", _VARIATION_SELECTORS.sub("", text).lower())
    return text.replace("i\u0307", "i")  # the lower case of the Turkish capital I with a dot


def _ngrams(run: str, size: int) -> list[str]:
    characters = _CHARACTER.findall(run)
    last = max(1, len(characters) - size + 1)
    return ["".join(characters[start : start + size]) for start in range(last)]
