"""What an engine is asked and what it answers: token ids in, probabilities of two answers out.

Every engine gets the same ids, made here once from a model's own tokenizer and chat template.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from newsrec.errors import UserError

PROMPTS_SCHEMA = pa.schema([("token_ids", pa.list_(pa.int32()))])
ANSWERS_SCHEMA = pa.schema(
    [("logprob_yes", pa.float64()), ("logprob_no", pa.float64()), ("text", pa.string())]
)


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


def encode_prompts(
    tokenizer: PreTrainedTokenizerBase, messages: Iterable[str], max_tokens: int
) -> Iterator[list[int]]:
    """Token ids of each message, checked.

    Raises:
        UserError: a prompt is longer than `max_tokens`, or text in it became a control token.
    """
    control = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    expected = sum(id_ in control for id_ in encode_chat(tokenizer, ""))
    for number, message in enumerate(messages):
        ids = encode_chat(tokenizer, message)
        if len(ids) > max_tokens:
            raise UserError(
                f"prompt {number}: {len(ids)} tokens, at most {max_tokens} fit beside the answer; "
                "raise score.max_model_len or lower prompt.num_history"
            )
        if sum(id_ in control for id_ in ids) != expected:
            raise UserError(
                f"prompt {number}: text of the data became a control token of the chat template; "
                f"add this model's kind of control token to plain_text; the text: {message!r}"
            )
        yield ids


def write_prompts(prompts: Iterable[list[int]], target: Path) -> int:
    """Write prompts in batches as Parquet of `PROMPTS_SCHEMA`; returns how many."""
    count, rest = 0, iter(prompts)
    with pq.ParquetWriter(target, PROMPTS_SCHEMA) as writer:
        while batch := list(islice(rest, 10_000)):
            writer.write_table(pa.table({"token_ids": batch}, schema=PROMPTS_SCHEMA))
            count += len(batch)
    return count


def _chat_text(tokenizer: PreTrainedTokenizerBase, message: str) -> str:
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": message}],
        add_generation_prompt=True,
        enable_thinking=False,
        tokenize=False,
    )
    assert isinstance(text, str)
    return text
