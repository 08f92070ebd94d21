"""A text by itself, without a chat around it, as token ids: for models that put it into a class.

Training and every engine take these ids, never the text, so that all of them see the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from newsrec.chat.text import plain_text
from newsrec.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_texts(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], max_tokens: int
) -> list[list[int]]:
    """Token ids of each text: its plain text and the token that ends a turn, `max_tokens` at most.

    A longer text is cut, and ends with that token too. A classifier answers at the last token: one
    that is always the same, and comes behind everything, is learned sooner (docs/LOG.md). Where it
    is the token that pads, it is left out, because transformers would pass over it.

    A text of which nothing is left has no tokens: there is nothing to put into a class.

    Raises:
        UserError: a text holds the token that pads, which a classifier passes over at the end.
    """
    if not texts:
        return []
    plain = [plain_text(text) for text in texts]
    encoded = tokenizer(plain, add_special_tokens=False, verbose=False)["input_ids"]
    padding = padding_token(tokenizer)
    end = [] if tokenizer.eos_token_id in (None, padding) else [int(tokenizer.eos_token_id)]
    ids = [[*row[: max_tokens - len(end)], *end] if row else [] for row in encoded]
    for text, row in zip(plain, ids, strict=True):
        if padding in row:
            raise UserError(
                f"the text {text[:80]!r} holds {tokenizer.decode([padding])!r}, which is the "
                "tokenizer's padding: a classifier would not read it; take it out of the data, or "
                "choose a model whose pad_token is a control token"
            )
    return ids


def padding_token(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token that fills up shorter texts: the tokenizer's own, else the one that ends a turn.

    Raises:
        UserError: it has neither.
    """
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise UserError(
        f"{tokenizer.name_or_path}: the tokenizer has no pad_token and no eos_token; expected one "
        "of them in tokenizer_config.json; write it there in a copy of the model "
        "(fetch_model.source: local)"
    )


def cut_text(tokenizer: "PreTrainedTokenizerBase", text: str, max_tokens: int) -> str:
    """The plain text of `text` as far as its first `max_tokens` tokens go, whole characters."""
    plain = plain_text(text)
    encoded = tokenizer(plain, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    offsets = encoded["offset_mapping"]
    return plain if len(offsets) <= max_tokens else plain[: offsets[max_tokens - 1][1]]
