"""The prompts of lists, one for each candidate, made as they are asked for: none is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.chat.messages import Messages, user_turn
from newsrec.chat.pieces import ControlTokens, PieceEncoder, join_pieces
from newsrec.errors import UserError
from newsrec.ranker.lists import Item, Row, parts_of, read_lists
from newsrec.ranker.params import Prompt
from newsrec.ranker.prompts import QUESTION, candidate_part, history_part, user_message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LISTS_AT_ONCE = 100


@dataclass(frozen=True)
class PromptAudit:
    """How many prompts there are, and the tokens of the longest."""

    num_prompts: int
    longest_prompt: int


@dataclass(frozen=True)
class ListBatch:
    """Some lists and their prompts.

    Attributes:
        rows: of `LISTS_SCHEMA`.
        pieces: the message of each candidate of each list, `newsrec.chat.pieces.PIECES`.
        ids: of each prompt, `newsrec.chat.pieces.TOKEN_IDS`.
    """

    rows: Sequence[Row]
    pieces: pa.ListArray
    ids: pa.LargeListArray


def nothing_shown() -> Messages:
    """The chat of a prompt without any product."""
    return user_turn(user_message(history_part([], [], []), candidate_part("", [])))


class ListPrompts:
    """The prompts of each candidate of each list; see `newsrec.engines.request.Prompts`."""

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        tables: Sequence[Path],
        items: Mapping[str, Item],
        prompt: Prompt,
        max_tokens: int,
    ) -> None:
        self._tables, self._items, self._prompt = tables, items, prompt
        self._max_tokens = max_tokens
        self._encoder = PieceEncoder(tokenizer)
        self._control = ControlTokens(tokenizer, nothing_shown())

    def __len__(self) -> int:
        return sum(
            pa.compute.sum(pa.compute.list_value_length(candidates)).as_py() or 0
            for path in self._tables
            for candidates in [pq.read_table(path, columns=["candidates"])["candidates"]]
        )

    def audit(self) -> PromptAudit:
        """Make every prompt once.

        Raises:
            UserError: a prompt does not fit, text of the data became a control token, or see
                `PieceEncoder.encode`.
        """
        num, longest = 0, 0
        with tqdm(total=len(self), desc="prompts", unit="prompt", mininterval=5) as progress:
            for batch in self.batches():
                lengths = batch.ids.value_lengths().to_numpy()
                num, longest = num + len(lengths), max(longest, int(lengths.max()))
                progress.update(len(lengths))
        return PromptAudit(num, longest)

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """The prompts as token ids, see `Prompts`."""
        for batch in self.batches():
            yield batch.ids

    def messages(self) -> Iterator[Messages]:
        """The prompts as chats, see `Prompts`."""
        for batch in self.batches():
            yield from map(user_turn, join_pieces(batch.pieces))

    def batches(self) -> Iterator[ListBatch]:
        """The lists of all tables in their order, with their prompts."""
        for path in self._tables:
            rows = read_lists(path)
            while some := list(islice(rows, _LISTS_AT_ONCE)):
                pieces = self._pieces(some)
                batch = ListBatch(some, pieces, self._encoder.encode(pieces))
                self._check(batch, path)
                yield batch

    def _pieces(self, rows: Sequence[Row]) -> pa.ListArray:
        parts = parts_of(rows, self._items, self._prompt)
        messages = [
            (history, candidate, QUESTION)
            for history, candidates in parts
            for candidate in candidates
        ]
        offsets = pa.array(np.arange(0, 3 * len(messages) + 1, 3, dtype=np.int32))
        flat = pa.array((part for parts in messages for part in parts), pa.string())
        return pa.ListArray.from_arrays(offsets, flat.dictionary_encode())

    def _check(self, batch: ListBatch, path: Path) -> None:
        lengths = batch.ids.value_lengths().to_numpy()
        ends = np.cumsum([len(row["candidates"]) for row in batch.rows])
        if (lengths > self._max_tokens).any():
            prompt = int(lengths.argmax())
            row = batch.rows[int(np.searchsorted(ends, prompt, side="right"))]
            raise UserError(
                f"{path}: list {row['id']}: a prompt has {lengths[prompt]} tokens, at most "
                f"{self._max_tokens} fit beside the answer; raise score.max_model_len, or lower "
                "prompt.max_description_words, prompt.max_title_words or prepare.window"
            )
        if (changed := self._control.find(batch.ids)) is not None:
            row = batch.rows[int(np.searchsorted(ends, changed, side="right"))]
            raise UserError(
                f"{path}: list {row['id']}: text of the data became a control token of the chat "
                "template; add this model's kind of control token to plain_text in "
                "newsrec/chat/text.py"
            )
