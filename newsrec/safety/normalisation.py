"""One spelling of a text: what the model is trained on, and what it is asked about.

Undone is what costs a reader nothing and a classifier its words: other forms of the same
characters, traditional ones, invisible ones, and separators inside a word. What changes the
characters themselves (pinyin, homophones, emoji) cannot be undone without guessing and stays.
"""

import unicodedata
from functools import cache
from importlib.resources import files

import regex

# Recorded with what is made of it; raise it whenever `normalise` gives any text another form.
VERSION = "2"

_HAN = r"\p{Script=Han}"
# What is put between the characters of a word to break it. Not what parts sentences or items: a
# comma, a full stop, 、 and the like have a meaning there.
_SEPARATOR = r"(?:[^\S\n\v\f\r\x85\u2028\u2029]|[*·・•.\-_/|\\~^+=#])"
# Prints nothing: format characters, joiners, selectors, controls, surrogates, private use,
# noncharacters.
_NOTHING = regex.compile(
    r"(?V1)[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\p{Cf}\p{Cs}\p{Co}[\p{Cc}--\s]]"
)
_MARKS = regex.compile(rf"(?<={_HAN})\p{{M}}+")
# Between Han characters a line break parts sentences: a space in its place would be taken for a
# separator the next time, which would join a title to what is below it.
_LINE_BREAK = regex.compile(
    rf"(?<={_HAN}){_SEPARATOR}*+[\n\v\f\r\x85\u2028\u2029](?:\s|{_SEPARATOR})*+(?={_HAN})"
)
_INSIDE_WORD = regex.compile(rf"(?<={_HAN}){_SEPARATOR}+(?={_HAN})")
# Three letters or more, each apart, by one sign throughout: w.e.c or v x h, but not e.g. or a-z.
_SPELLED = regex.compile(
    rf"(?<![A-Za-z0-9])[A-Za-z](?:({_SEPARATOR})[A-Za-z](?:\1[A-Za-z])+)(?![A-Za-z0-9])"
)
_SPACES = regex.compile(r"\s+")


def normalise(text: str) -> str:
    """The text in one spelling, on one line; normalising that again changes nothing.

    A line break becomes a comma between Han characters, and a space elsewhere.

    Halves of surrogate pairs are joined where both are there and dropped where one is alone, so
    that the result can be encoded in UTF-8 whatever the text is. It may be empty.
    """
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    while (new := _once(text)) != text:  # what is dropped may bring together what then combines
        text = new
    return text


def _once(text: str) -> str:
    text = unicodedata.normalize("NFKC", _NOTHING.sub("", text))
    text = _NOTHING.sub("", text).translate(_simplified())
    text = _LINE_BREAK.sub(",", _MARKS.sub("", text))
    text = _INSIDE_WORD.sub("", text)
    text = _SPELLED.sub(lambda match: match[0].replace(match[1], ""), text)
    line: str = _SPACES.sub(" ", text).strip()
    return line


@cache
def simplified_forms() -> dict[str, list[str]]:
    """The simplified forms of every traditional character, by OpenCC's table of characters.

    Of several the first is the usual one; a character that is simplified too is among its own.
    """
    lines = files("opencc").joinpath("dictionary/TSCharacters.txt").read_text("utf-8").splitlines()
    return {old: forms.split(" ") for old, forms in (line.split("\t") for line in lines)}


@cache
def _simplified() -> dict[int, str]:
    """The usual simplified form of every traditional character.

    Character by character, not by OpenCC's phrases: those make the form of a character depend on
    where a text is cut, and take a hundred times as long.
    """
    table = {old: forms[0] for old, forms in simplified_forms().items()}
    # 薴 becomes 苧, which becomes 苎: straight to the last.
    return {ord(old): table.get(new, new) for old, new in table.items()}
