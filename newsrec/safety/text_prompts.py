"""Prepared rows as prompts: the texts of several tables, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.chat.messages import Messages
from newsrec.chat.pieces import TOKEN_IDS
from newsrec.files import read_texts
from newsrec.safety.tables import TEXT

_ROWS_AT_ONCE = 1000

Encode = Callable[[Sequence[str]], list[list[int]]]


@dataclass(frozen=True)
class TextPrompts:
    """The texts of tables, made into token ids anew each time that they are walked.

    Attributes:
        files: Parquet files with a column `normalised`.
        encode: from texts to token ids.
        chat: from a text to the chat that asks about it; a classifier is asked no question.
    """

    files: tuple[Path, ...]
    encode: Encode
    chat: Callable[[str], Messages] | None = None

    def __len__(self) -> int:
        return sum(pq.read_metadata(file).num_rows for file in self.files)

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """A thousand rows at once."""
        for texts in self.texts():
            yield pa.array(self.encode(texts), type=TOKEN_IDS)

    def messages(self) -> Iterator[Messages]:
        """One after the other."""
        assert self.chat is not None
        for texts in self.texts():
            yield from map(self.chat, texts)

    def texts(self) -> Iterator[list[str]]:
        """The texts, a thousand rows at once.

        Raises:
            UserError: see `newsrec.files.read_texts`.
        """
        for file in self.files:
            for (texts,) in read_texts(file, [TEXT], _ROWS_AT_ONCE):
                yield texts
