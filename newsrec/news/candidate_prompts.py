"""The prompts of evaluation sets, made as they are asked for: none is ever stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.chat.messages import Messages, user_turn
from newsrec.chat.pieces import ControlTokens, PieceEncoder, join_pieces
from newsrec.errors import UserError
from newsrec.news.prompt_pieces import LISTS, PromptRows
from newsrec.news.prompts import user_message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH_ROWS = 2_000
_DROPPED_FIRST = ("history", "disliked", "liked")


@dataclass
class PromptAudit:
    """What became of the prompts on their way to token ids."""

    num_prompts: int = 0
    num_shortened: int = 0
    num_items_dropped: int = 0
    longest_prompt: int = 0


@dataclass(frozen=True)
class _Batch:
    """Some prompts that fit.

    Attributes:
        pieces: of each message, `newsrec.chat.pieces.PIECES`.
        ids: of each prompt, `newsrec.chat.pieces.TOKEN_IDS`.
        num_dropped: items that each has lost, shape (prompts,).
    """

    pieces: pa.ListArray
    ids: pa.LargeListArray
    num_dropped: np.ndarray


def nothing_shown() -> Messages:
    """The chat of a prompt without any title."""
    return user_turn(user_message([], [], [], ""))


class CandidatePrompts:
    """The prompts of each row of some evaluation sets; see `newsrec.engines.request.Prompts`."""

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", tables: Sequence[Path], max_tokens: int
    ) -> None:
        self._tables, self._max_tokens = tables, max_tokens
        self._encoder = PieceEncoder(tokenizer)
        self._control = ControlTokens(tokenizer, nothing_shown())

    def __len__(self) -> int:
        return sum(pq.read_metadata(path).num_rows for path in self._tables)

    def audit(self) -> PromptAudit:
        """Make every prompt once, and report what became of them.

        Raises:
            UserError: a prompt without history does not fit, text of the data became a control
                token, or see `PieceEncoder.encode`.
        """
        audit = PromptAudit()
        with tqdm(total=len(self), desc="prompts", unit="prompt", mininterval=5) as progress:
            for batch in self._batches():
                lengths = batch.ids.value_lengths().to_numpy()
                audit.num_prompts += len(lengths)
                audit.num_shortened += int((batch.num_dropped > 0).sum())
                audit.num_items_dropped += int(batch.num_dropped.sum())
                audit.longest_prompt = max(audit.longest_prompt, int(lengths.max()))
                progress.update(len(lengths))
        return audit

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """The prompts as token ids, see `Prompts`."""
        for batch in self._batches():
            yield batch.ids

    def messages(self) -> Iterator[Messages]:
        """The prompts as chats, see `Prompts`."""
        for batch in self._batches():
            yield from map(user_turn, join_pieces(batch.pieces))

    def _batches(self) -> Iterator[_Batch]:
        for path in self._tables:
            file = pq.ParquetFile(path)
            for rows in file.iter_batches(_BATCH_ROWS, columns=[*LISTS, "target"]):
                batch = self._fitted(PromptRows.of(rows), rows["target"], path)
                self._check_control(batch.ids, rows["target"], path)
                yield batch

    def _fitted(self, shown: PromptRows, targets: pa.Array, path: Path) -> _Batch:
        """The prompts, shortened where they must be."""
        pieces = shown.pieces()
        ids = self._encoder.encode(pieces)
        lengths = ids.value_lengths().to_numpy()
        num_dropped = np.zeros(len(ids), np.int64)
        made, rows = [(pieces, ids)], np.arange(len(ids))
        latest = rows.copy()  # of each prompt the row among all that were made
        while (too_long := lengths > self._max_tokens).any():
            rows, shown = rows[too_long], shown.take(too_long)
            dropped = shown.drop_oldest(_DROPPED_FIRST)
            if not dropped.all():
                row = int(dropped.argmin())
                raise UserError(
                    f"{path}: {lengths[too_long][row]} tokens without any history, at most "
                    f"{self._max_tokens} fit beside the answer; raise score.max_model_len; the "
                    f"title: {targets[int(rows[row])].as_py()[:80]!r}"
                )
            num_dropped[rows] += 1
            latest[rows] = sum(len(done) for done, _ in made) + np.arange(len(rows))
            pieces = shown.pieces()
            ids = self._encoder.encode(pieces)
            lengths = ids.value_lengths().to_numpy()
            made.append((pieces, ids))
        if len(made) == 1:
            return _Batch(pieces, ids, num_dropped)
        all_pieces, all_ids = (pa.concat_arrays(parts) for parts in zip(*made, strict=True))
        return _Batch(all_pieces.take(latest), all_ids.take(latest), num_dropped)

    def _check_control(self, ids: pa.LargeListArray, targets: pa.Array, path: Path) -> None:
        if (row := self._control.find(ids)) is not None:
            title = targets[row].as_py()
            raise UserError(
                f"{path}: text of the data became a control token of the chat template; add this "
                "model's kind of control token to plain_text in newsrec/chat/text.py; the title: "
                f"{title[:80]!r}"
            )
