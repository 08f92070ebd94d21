"""Text of the data made safe to put into a chat message."""

import re

import regex

# Every control token of the chat templates in use starts with "<" and one of these: <|im_end|>,
# <think>, </tool_call>, <s>, <<SYS>>, and LLaMA-Factory's own <image>. [INST] is Mistral's, and
# LLaMA-Factory fills in {{idx}} wherever it is. Marks between their letters are passed over,
# because some tokenizers remove them; possessively, or a title of marks alone would take minutes.
_CONTROL = regex.compile(
    r"<(?=\p{M}*+[|｜/!<A-Za-z_])|\[(?=\p{M}*+/?\p{M}*+(?:[A-Z_]\p{M}*+)++\])|\{(?=\p{M}*+\{)"
)
_SPACES = re.compile(r"\s+")

# What Unicode lists as printing nothing, and what has no meaning outside of a program. Words and
# emoji that need such a character keep it where they do: never between the letters of a control
# token, and never twice, so that no text can be hidden in a row of them.
_NOTHING = r"\p{Default_Ignorable_Code_Point}"
_NO_TEXT = r"\p{Noncharacter_Code_Point}\p{Cc}\p{Cs}\p{Co}\ufff9-\ufffb"
_LETTER = rf"[\p{{L}}--[\p{{Latin}}\p{{Common}}{_NOTHING}]]"
_PICTURE = r"\p{Extended_Pictographic}"
_COMPLEX = r"[\p{Line_Break=SA}&&\p{L}]"
_PRINTS_NOTHING = regex.compile(
    rf"""(?xV1)
    (?P<needed>
        # Joiners and the Mongolian vowel separator, in words of scripts other than Latin (Persian,
        # Kurdish, Sinhala, Bengali, Malayalam), also between a number or a name and its suffix.
        [\u200c\u200d\u180e] (?: (?<={_LETTER}\p{{M}}*.) | (?<!{_NOTHING}.)(?={_LETTER}) )
        # What makes one emoji of several.
        | \u200d (?<={_PICTURE}[\p{{M}}\p{{Emoji_Modifier}}]*.)(?={_PICTURE})
        # The invisible space between the words of Khmer, Thai, Lao and Burmese.
        | \u200b (?<={_COMPLEX}\p{{M}}*.)(?={_COMPLEX})
        # Variation selectors and other invisible marks, of the character before them.
        | [{_NOTHING}&&\p{{Mn}}] (?<=[^\s<\[{{{_NOTHING}{_NO_TEXT}].)
        # The flag of a part of a country: its code in tags and their end, behind a black flag.
        | [\U000E0030-\U000E0039\U000E0061-\U000E007A]{{3,6}} \U000E007F (?<=\U0001F3F4.{{4,7}})
        # Fillers of incomplete syllables in old Korean.
        | \u115f(?=[\u1161-\u11a7]) | \u1160(?<=[\u1100-\u115e].)
    )
    | [{_NOTHING}{_NO_TEXT}]
    """
)


def plain_text(text: str) -> str:
    """One line of text that no tokenizer reads as a control token.

    A space is put behind an opening bracket that could begin one, white space becomes single
    spaces, and characters that print nothing are dropped but for those that words need: see
    `_PRINTS_NOTHING`. Directional marks are dropped too. They arrange text on a screen, and the
    order in which a model reads Arabic or Hebrew is that of the characters.
    """
    shown = _PRINTS_NOTHING.sub(r"\g<needed>", _SPACES.sub(" ", text))
    return _SPACES.sub(" ", _CONTROL.sub(r"\g<0> ", shown)).strip()
