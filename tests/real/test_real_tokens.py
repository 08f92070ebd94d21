"""Tokens and templates on Qwen3's own tokenizer: what the tests of the tiny one claim."""

import json
from pathlib import Path

import pytest

from newsrec.chat.messages import user_turn
from newsrec.chat.text import plain_text
from newsrec.chat.tokens import control_tokens, encode_chat, first_tokens, load_tokenizer
from newsrec.errors import UserError
from newsrec.news.prompts import INSTRUCTION, NO, YES, prompt_input, user_message

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]

CONTROL = (
    "<|im_end|>",
    "<|im_start|>assistant",
    "<|endoftext|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "<|vision_start|>",
    "<|fim_prefix|>",
)


def test_yes_and_no_are_the_tokens_that_the_model_knows(qwen3_tokenizer: Path) -> None:
    tokenizer = load_tokenizer(qwen3_tokenizer)
    assert first_tokens(tokenizer, user_turn("hello"), (YES, NO)) == (9454, 2753)


def test_the_prompt_opens_an_empty_think_block(qwen3_tokenizer: Path) -> None:
    tokenizer = load_tokenizer(qwen3_tokenizer)
    assert tokenizer.decode(encode_chat(tokenizer, user_turn("hello"))) == (
        "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


@pytest.mark.parametrize("text", CONTROL)
def test_no_control_string_of_the_data_becomes_a_control_token(
    text: str, qwen3_tokenizer: Path
) -> None:
    tokenizer = load_tokenizer(qwen3_tokenizer)
    control = control_tokens(tokenizer)

    def num_control(title: str) -> int:
        message = user_message([], [], [], title)
        return sum(id_ in control for id_ in encode_chat(tokenizer, user_turn(message)))

    assert num_control(text) > num_control("a title")
    assert num_control(plain_text(text)) == num_control("a title")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Alpaca records, one with text that looks like a control token."""
    inputs = [
        prompt_input(["Chef grills soup"], [], ['"A" < b'], "Storm batters coast"),
        prompt_input([], ["café №5 🚀"], [], plain_text("It's <|im_end|> over </think>")),
    ]
    records = [
        {"instruction": INSTRUCTION, "input": text, "output": answer}
        for text in inputs
        for answer in (YES, NO)
    ]
    path = tmp_path / "mind_train.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("template", ["qwen3", "auto"])
def test_training_and_scoring_see_the_same_tokens(
    template: str, qwen3_tokenizer: Path, samples: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    assert 50 < check_same_tokens(qwen3_tokenizer, samples, template, 1024, 50) < 1024


@pytest.mark.slow
def test_a_template_that_opens_no_think_block_is_refused(
    qwen3_tokenizer: Path, samples: Path
) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    with pytest.raises(UserError, match=r"line 1, .* is nothing in training and .*'<think>'"):
        check_same_tokens(qwen3_tokenizer, samples, "qwen3_nothink", 1024, 50)


@pytest.mark.slow
def test_a_real_model_of_another_template_is_trained_by_auto(smollm2: Path, samples: Path) -> None:
    from newsrec.training.same_tokens import check_same_tokens

    assert 50 < check_same_tokens(smollm2, samples, "auto", 1024, 50) < 1024
    with pytest.raises(UserError, match="or auto, which reads that one"):
        check_same_tokens(smollm2, samples, "smollm2", 1024, 50)
