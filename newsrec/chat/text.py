"""Text of the data made safe to put into a chat message."""

import re
import unicodedata

# Every control token of the chat templates in use starts with "<" and one of these: <|im_end|>,
# <think>, </tool_call>, <s>, <<SYS>>, and LLaMA-Factory's own <image>. [INST] is Mistral's.
_CONTROL = re.compile(r"<(?=[|｜/!<A-Za-z_])|\[(?=/?[A-Z_]+\])")
_SPACES = re.compile(r"\s+")


def plain_text(text: str) -> str:
    """One line of text that no tokenizer reads as a control token.

    A space is put behind an opening bracket that could begin one, characters that print nothing are
    dropped and white space becomes single spaces.
    """
    shown = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    return _SPACES.sub(" ", _CONTROL.sub(lambda match: match[0] + " ", shown)).strip()
