"""The untuned base model as a judge: which of the six names it would write, asked by number."""

from typing import TYPE_CHECKING

from newsrec.chat.messages import Messages, user_turn
from newsrec.chat.texts import cut_text
from newsrec.chat.tokens import encode_chats, first_tokens
from newsrec.errors import UserError
from newsrec.safety.labels import CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

# Numbers, because names may begin with the same token, and with more than one.
NUMBERS = tuple(str(number) for number in range(1, len(CLASSES) + 1))
_NAMES = "\n".join(f"{number}. {name}" for number, name in zip(NUMBERS, CLASSES, strict=True))
VERSION = "1"  # of the question, recorded with what it gave


class Judge:
    """Asks about texts, cut as those are that a classifier reads."""

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", max_tokens: int, max_prompt_tokens: int
    ) -> None:
        """The six numbers must begin with tokens of their own.

        Args:
            tokenizer: of the model.
            max_tokens: of a text, which is cut behind them.
            max_prompt_tokens: of the text with the question around it.

        Raises:
            UserError: two numbers begin with the same token.
        """
        self._tokenizer, self._max_tokens = tokenizer, max_tokens
        self._max_prompt_tokens = max_prompt_tokens
        self.tokens = first_tokens(tokenizer, question(""), NUMBERS)

    def chat(self, text: str) -> Messages:
        """The question about one text."""
        return question(cut_text(self._tokenizer, text, self._max_tokens))

    def encode(self, texts: "Sequence[str]") -> list[list[int]]:
        """Token ids of the question about each text.

        Raises:
            UserError: one is longer than the engine takes.
        """
        ids = encode_chats(self._tokenizer, [self.chat(text) for text in texts])
        longest = max(map(len, ids), default=0)
        if longest > self._max_prompt_tokens:
            raise UserError(
                f"the question to the base model is {longest} tokens long, and score.max_model_len "
                f"leaves {self._max_prompt_tokens} of them beside the answer; raise it, or lower "
                "train.cutoff_len"
            )
        return ids


def question(text: str) -> Messages:
    """The chat that asks for the number of a text's class; `text` is plain text."""
    return user_turn(
        f"下面的文字属于哪一类？请只回答类别的编号。\n{_NAMES}\n\n文字：{text}\n\n编号："
    )
