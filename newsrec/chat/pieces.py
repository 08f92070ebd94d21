"""Token ids of many chats that have most of their text in common.

A message is joined of pieces, each but the last with a line end at its end. A piece that recurs is
tokenized once, and a prompt is put together from the ids of its pieces.

That is right where a tokenizer splits its text behind every line end between two visible
characters, before any merging. Byte-level BPE as in Qwen, Llama 3, GPT-2 and SmolLM does: no
alternative of their expressions goes on behind a line end with anything but white space, and none
looks back. Of other tokenizers it is not known. So the first prompts are compared with the
tokenizer's own encoding of the whole, which is used throughout where they differ; and so is a
sample of all others.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from newsrec.chat.messages import Messages, user_turn
from newsrec.chat.tokens import chat_text, control_tokens, encode_chat, encode_chats
from newsrec.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Lists of pieces, each by its row in the dictionary of all.
PIECES = pa.list_(pa.dictionary(pa.int32(), pa.string()))
TOKEN_IDS = pa.large_list(pa.int32())

_MARK = "0f8e1b: the message"  # in no chat template
_NUM_FIRST, _NUM_SAMPLED = 64, 4  # prompts compared of the first call, and of each other
_MAX_PIECES = 500_000  # remembered


class PieceEncoder:
    """Turns messages of pieces into the token ids of chats of that one message each."""

    _known: dict[str, int]  # text to its place in `_starts` and `_lengths`
    _starts: np.ndarray  # in `_ids`
    _lengths: np.ndarray
    _ids: np.ndarray  # of all that is known

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", seed: int = 0) -> None:
        self._tokenizer = tokenizer
        self._random = np.random.default_rng(seed)
        before, *after = chat_text(tokenizer, user_turn(_MARK)).split(_MARK)
        self._before, self._after = before, "".join(after)
        self._adds_up: bool | None = None if len(after) == 1 else False
        self._remember_none()

    @property
    def adds_up(self) -> bool | None:
        """Whether prompts are put together from pieces; None before the first call."""
        return self._adds_up

    def encode(self, messages: pa.ListArray) -> pa.LargeListArray:
        """The token ids of each message's chat, up to where the answer begins, thinking off.

        Args:
            messages: of `PIECES`, two or more each.

        Returns:
            Lists of `TOKEN_IDS`, one for each message.

        Raises:
            UserError: in a prompt of the sample the ids of the pieces are not those of the whole,
                though they were in the first prompts.
        """
        if self._adds_up is False or not len(messages):
            return self._encode_whole(messages)
        if len(self._known) > _MAX_PIECES:
            self._remember_none()
        ids = self._encode_pieces(messages)
        num = min(len(messages), _NUM_FIRST if self._adds_up is None else _NUM_SAMPLED)
        rows = pa.array(np.sort(self._random.choice(len(messages), num, replace=False)))
        sampled = messages.take(rows)
        found, whole = ids.take(rows), self._encode_whole(sampled)
        if not found.equals(whole):
            if self._adds_up:
                place = next(at for at in range(num) if found[at] != whole[at])
                (text,) = join_pieces(sampled.slice(place, 1))
                raise UserError(
                    "assembled from its lines, a prompt has other token ids than as a whole, "
                    f"unlike the first prompts with this tokenizer: {text!r}; take the text out of "
                    "the data, or choose another model"
                )
            ids = self._encode_whole(messages)
        self._adds_up = self._adds_up or found.equals(whole)
        return ids

    def _encode_whole(self, messages: pa.ListArray) -> pa.LargeListArray:
        chats = [user_turn(text) for text in join_pieces(messages)]
        return pa.array(encode_chats(self._tokenizer, chats), type=TOKEN_IDS)

    def _encode_pieces(self, messages: pa.ListArray) -> pa.LargeListArray:
        pieces = messages.flatten()
        offsets = messages.offsets.to_numpy() - messages.offsets[0].as_py()
        codes, texts = pieces.indices.to_numpy(), pieces.dictionary.to_pylist()
        places = self._places_of(texts)[codes]
        # The template's own text belongs to the first and to the last piece.
        for at, before, after in (
            (offsets[:-1], self._before, ""),
            (offsets[1:] - 1, "", self._after),
        ):
            distinct, which = np.unique(codes[at], return_inverse=True)
            framed = [f"{before}{texts[code]}{after}" for code in distinct]
            places[at] = self._places_of(framed)[which]
        lengths = self._lengths[places]
        ids = self._ids[spans(self._starts[places], lengths)]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        return pa.LargeListArray.from_arrays(ends[offsets], pa.array(ids))

    def _places_of(self, texts: Sequence[str]) -> np.ndarray:
        """Where each text is in `_starts` and `_lengths`; those not yet known are tokenized."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            encoded = self._tokenizer(new, add_special_tokens=False)["input_ids"]
            lengths = np.fromiter(map(len, encoded), np.int64, len(new))
            ends = len(self._ids) + np.cumsum(lengths)
            self._known |= {text: place for place, text in enumerate(new, start=len(self._known))}
            self._lengths = np.concatenate([self._lengths, lengths])
            self._starts = np.concatenate([self._starts, ends - lengths])
            ids = np.fromiter((id_ for of_text in encoded for id_ in of_text), np.int32)
            self._ids = np.concatenate([self._ids, ids])
        return np.fromiter((self._known[text] for text in texts), np.int64, len(texts))

    def _remember_none(self) -> None:
        self._known = {}
        self._starts = np.zeros(0, np.int64)
        self._lengths = np.zeros(0, np.int64)
        self._ids = np.zeros(0, np.int32)


def join_pieces(messages: pa.ListArray) -> Iterator[str]:
    """The text of each message."""
    for pieces in messages.to_pylist():
        yield "".join(pieces)


def spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers from each start on, as many as its length says, one span behind the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


class ControlTokens:
    """Finds prompts in which text of the data became a control token of the chat template."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", nothing_shown: Messages) -> None:
        """Take the tokenizer, and a chat of the same kind without any text of the data."""
        control = np.array(sorted(control_tokens(tokenizer)))
        self._is_control = np.zeros(max(len(tokenizer), control.max() + 1), bool)
        self._is_control[control] = True
        self._expected = int(self._is_control[encode_chat(tokenizer, nothing_shown)].sum())

    def find(self, ids: pa.LargeListArray) -> int | None:
        """The place of the first prompt with more of them, or fewer; None where all are as many.

        Args:
            ids: of each prompt, `TOKEN_IDS`.
        """
        before = np.concatenate([[0], np.cumsum(self._is_control[ids.flatten().to_numpy()])])
        differs = np.diff(before[ids.offsets.to_numpy()]) != self._expected
        return int(differs.argmax()) if differs.any() else None
