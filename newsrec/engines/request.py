"""What an engine is asked and what it answers: token ids in, log-probabilities and text out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.chat.messages import Messages

_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
# Token ids for engines that load the model, messages for servers that take text.
PROMPTS_SCHEMA = pa.schema([("token_ids", pa.list_(pa.int32())), ("messages", pa.list_(_MESSAGE))])
# A log-probability for each answer of the request, in its order; null where the engine has none.
# The text is null where a server gave no answer.
ANSWERS_SCHEMA = pa.schema([("logprobs", pa.list_(pa.float64())), ("text", pa.string())])
_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Request:
    """Prompts to answer, all in the same way.

    Attributes:
        prompts: Parquet file of `PROMPTS_SCHEMA`.
        answers: first token of each answer whose log-probability is wanted at the first position
            behind the prompt; any number of them, none for free text.
        max_tokens: to write, decoded greedily.
    """

    prompts: Path
    answers: tuple[int, ...]
    max_tokens: int

    @property
    def num_prompts(self) -> int:
        """How many prompts there are."""
        return int(pq.ParquetFile(self.prompts).metadata.num_rows)

    def messages(self) -> Iterator[Messages]:
        """The chat of each prompt, in order; a batch of them in memory at a time."""
        file = pq.ParquetFile(self.prompts)
        for batch in file.iter_batches(_BATCH_ROWS, columns=["messages"]):
            yield from batch["messages"].to_pylist()


class PromptWriter:
    """Appends prompts to a Parquet file of `PROMPTS_SCHEMA`, in batches."""

    def __init__(self, target: Path) -> None:
        self._writer = pq.ParquetWriter(target, PROMPTS_SCHEMA)
        self._rows: list[dict[str, object]] = []

    def __enter__(self) -> "PromptWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def add(self, token_ids: list[int], messages: Messages) -> None:
        """Append one prompt: its ids, and its messages for a server that wants text."""
        self._rows.append({"token_ids": token_ids, "messages": messages})
        if len(self._rows) == _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=PROMPTS_SCHEMA))
        self._rows.clear()
