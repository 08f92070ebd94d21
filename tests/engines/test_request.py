"""Token ids made once, the same for every engine."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from newsrec.engines.request import (
    PromptWriter,
    answer_tokens,
    encode_chat,
    load_tokenizer,
)
from newsrec.errors import UserError
from newsrec.prompts import NO, YES


def test_the_prompt_ends_where_the_answer_begins(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    text = tokenizer.decode(encode_chat(tokenizer, "hello"))
    assert text == (
        "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_answer_tokens_are_the_first_of_each_answer_in_context(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokens = answer_tokens(tokenizer, "hello", YES, NO)
    assert (tokenizer.decode(tokens.yes), tokenizer.decode(tokens.no)) == ("Yes", "No")


def test_answers_that_begin_alike_are_refused(tiny_model: Path) -> None:
    with pytest.raises(UserError, match="begin with the same token"):
        answer_tokens(load_tokenizer(tiny_model), "hello", "Yes.", "Yes!")


def test_prompts_are_written_in_order(tmp_path: Path) -> None:
    prompts = [([number, number + 1], f"message {number}") for number in range(10_003)]
    with PromptWriter(tmp_path / "prompts.parquet") as writer:
        for token_ids, message in prompts:
            writer.add(token_ids, message)
    table = pq.read_table(tmp_path / "prompts.parquet")
    assert table["token_ids"].to_pylist() == [token_ids for token_ids, _ in prompts]
    assert table["message"].to_pylist() == [message for _, message in prompts]
