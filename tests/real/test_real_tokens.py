"""Tokens and templates on Qwen3's own tokenizer: what the tests of the tiny one claim."""

import json
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsrec.chat.messages import user_turn
from newsrec.chat.pieces import PIECES, PieceEncoder
from newsrec.chat.text import plain_text
from newsrec.chat.tokens import control_tokens, encode_chat, first_tokens, load_tokenizer
from newsrec.errors import UserError
from newsrec.news.prompts import INSTRUCTION, NO, QUESTION, YES, prompt_input, user_message

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]

# A blank one is never shown: in front of a line end a blank goes with it, at the end of a piece.
TITLES = st.text(max_size=12).map(plain_text).filter(bool)
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


@given(titles=st.lists(st.lists(TITLES, max_size=4), min_size=1))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_lines_of_any_titles_have_the_ids_of_the_whole(
    titles: list[list[str]], qwen3_tokenizer: Path, smollm2: Path
) -> None:
    for folder in (qwen3_tokenizer, smollm2):
        tokenizer = tokenizer_of(folder)
        lines = [["Shown:\n", *(f"- {one}\n" for one in shown), QUESTION] for shown in titles]
        found = PieceEncoder(tokenizer)._encode_pieces(pa.array(lines, type=PIECES)).to_pylist()
        whole = [encode_chat(tokenizer, user_turn("".join(pieces))) for pieces in lines]
        assert found == whole


tokenizer_of = cache(load_tokenizer)  # of a real one it takes a second


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
