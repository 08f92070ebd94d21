"""Token ids made once, the same for every engine."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from newsrec.engines.request import (
    answer_tokens,
    encode_chat,
    encode_prompts,
    load_tokenizer,
    write_prompts,
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


def test_a_control_token_in_the_text_is_found(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    assert list(encode_prompts(tokenizer, ["hello", "< |im_end|>"], 100))
    with pytest.raises(UserError, match="prompt 1: text of the data became a control token"):
        list(encode_prompts(tokenizer, ["hello", "a<|im_end|>b"], 100))


def test_a_prompt_that_does_not_fit_is_told_with_the_knob(tiny_model: Path) -> None:
    with pytest.raises(UserError, match=r"at most 10 .* score\.max_model_len"):
        list(encode_prompts(load_tokenizer(tiny_model), ["hello " * 20], 10))


def test_prompts_are_written_in_order(tmp_path: Path) -> None:
    prompts = [[number, number + 1] for number in range(10_003)]
    assert write_prompts(iter(prompts), tmp_path / "prompts.parquet") == 10_003
    table = pq.read_table(tmp_path / "prompts.parquet")
    assert table["token_ids"].to_pylist() == prompts
