"""Token ids made once, the same for every engine."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import control_tokens, encode_chat, first_tokens, load_tokenizer
from newsrec.errors import UserError
from newsrec.models.weights import weight_files

HELLO = user_turn("hello")
ANSWERS = ("Yes.", "No.", "maybe", "7", "!")


def test_the_prompt_ends_where_the_answer_begins(tokenizer: PreTrainedTokenizerBase) -> None:
    text = tokenizer.decode(encode_chat(tokenizer, HELLO))
    assert text == (
        "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_every_turn_of_a_chat_is_in_its_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "sure?"},
    ]
    assert tokenizer.decode(encode_chat(tokenizer, chat)) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n"
        "<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nsure?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_answer_tokens_are_the_first_of_each_answer_in_context(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokens = first_tokens(tokenizer, HELLO, ("Yes.", "No."))
    assert [tokenizer.decode(token) for token in tokens] == ["Yes", "No"]


@pytest.mark.parametrize("num_answers", [0, 1, 2, 5])
def test_there_is_a_token_for_each_answer_in_their_order(
    num_answers: int, tokenizer: PreTrainedTokenizerBase
) -> None:
    answers = ANSWERS[:num_answers]
    tokens = first_tokens(tokenizer, HELLO, answers)
    assert isinstance(tokens, tuple)
    assert len(tokens) == num_answers
    for token, answer in zip(tokens, answers, strict=True):
        text = tokenizer.decode(token)
        assert text
        assert answer.startswith(text)
    assert first_tokens(tokenizer, HELLO, answers[::-1]) == tokens[::-1]


def test_answers_that_begin_alike_are_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError, match="begin with the same token"):
        first_tokens(tokenizer, HELLO, ("Yes.", "Yes!"))


def test_the_error_names_the_two_that_begin_alike(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError, match=r"^'No\.' and 'No!' begin with the same token"):
        first_tokens(tokenizer, HELLO, ("Yes.", "No.", "maybe", "No!"))


def test_an_answer_that_changes_the_prompts_last_token_is_refused(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "chat_template", "{{ messages[0].content }}")
    assert len(tokenizer.encode("Yes", add_special_tokens=False)) == 1, "no token to change"
    with pytest.raises(UserError, match=r"'es\.' cannot be separated from the prompt's last token"):
        first_tokens(tokenizer, user_turn("Y"), ("No", "es."))


def test_an_empty_answer_has_no_first_token(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError, match="'' cannot be separated"):
        first_tokens(tokenizer, HELLO, ("Yes.", ""))


def test_the_tokens_of_the_template_are_control_tokens_and_those_of_words_are_none(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    control = control_tokens(tokenizer)
    names = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>"]
    assert control.issuperset(tokenizer.convert_tokens_to_ids(names))
    assert control.isdisjoint(tokenizer.encode("hello, Yes. <b>", add_special_tokens=False))


def test_a_folder_that_is_not_there_is_not_looked_for_on_a_hub(tmp_path: Path) -> None:
    for read in (load_tokenizer, weight_files):
        with pytest.raises(UserError, match=r"merged: no such folder, .* run dvc repro"):
            read(tmp_path / "merged")
