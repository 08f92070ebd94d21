"""What an engine is asked and what it answers: token ids in, probabilities of two answers out.

Every engine gets the same ids, made here once from a model's own tokenizer and chat template.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from newsrec.errors import UserError

PROMPTS_SCHEMA = pa.schema([("token_ids", pa.list_(pa.int32())), ("message", pa.string())])
ANSWERS_SCHEMA = pa.schema(
    [("logprob_yes", pa.float64()), ("logprob_no", pa.float64()), ("text", pa.string())]
)
_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class AnswerTokens:
    """The token that each answer begins with, in the prompt's own context."""

    yes: int
    no: int


def load_tokenizer(model: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a model's folder; code from the folder is never run."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        model, trust_remote_code=False
    )
    return tokenizer


def encode_chat(tokenizer: PreTrainedTokenizerBase, message: str) -> list[int]:
    """Token ids of one user message up to where the answer begins, thinking off."""
    text = _chat_text(tokenizer, message)
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def answer_tokens(
    tokenizer: PreTrainedTokenizerBase, message: str, yes: str, no: str
) -> AnswerTokens:
    """The first token of each answer when it follows the prompt of `message`.

    Raises:
        UserError: the two begin with the same token, or an answer changes the prompt's own tokens.
    """
    prompt = _chat_text(tokenizer, message)
    prompt_ids = tokenizer.encode(prompt, add_special_tokens=False)
    first = []
    for answer in (yes, no):
        ids = tokenizer.encode(prompt + answer, add_special_tokens=False)
        if ids[: len(prompt_ids)] != prompt_ids or len(ids) == len(prompt_ids):
            raise UserError(
                f"the answer {answer!r} melts into the prompt's last token with this tokenizer; "
                "choose a model whose chat template ends in a line end or a control token"
            )
        first.append(ids[len(prompt_ids)])
    if first[0] == first[1]:
        raise UserError(
            f"{yes!r} and {no!r} begin with the same token ({first[0]}) with this tokenizer; "
            "choose another model"
        )
    return AnswerTokens(*first)


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The ids that text of the data must never become."""
    return set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)


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

    def add(self, token_ids: list[int], message: str) -> None:
        """Append one prompt: its ids, and its message for a server that wants text."""
        self._rows.append({"token_ids": token_ids, "message": message})
        if len(self._rows) == _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=PROMPTS_SCHEMA))
        self._rows.clear()


def _chat_text(tokenizer: PreTrainedTokenizerBase, message: str) -> str:
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": message}],
        add_generation_prompt=True,
        enable_thinking=False,
        tokenize=False,
    )
    assert isinstance(text, str)
    return text
