"""A text by itself as token ids: plain, cut, never the token that pads."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from newsrec.chat.texts import cut_text, encode_texts, padding_token
from newsrec.chat.tokens import load_tokenizer
from newsrec.errors import UserError

LETTERS = "a b c d e f"


def ids_of(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def test_a_text_is_its_own_tokens_and_the_end_of_a_turn(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    ids = encode_texts(tokenizer, ["好", "ab"], 9)
    assert [tokenizer.decode(row) for row in ids] == ["好<|im_end|>", "ab<|im_end|>"]
    assert [row[:-1] for row in ids] == [ids_of(tokenizer, "好"), ids_of(tokenizer, "ab")]
    assert encode_texts(tokenizer, [], 9) == []


def test_a_longer_text_is_cut_at_its_end(tokenizer: PreTrainedTokenizerBase) -> None:
    whole = ids_of(tokenizer, LETTERS)
    assert len(whole) > 4
    assert encode_texts(tokenizer, [LETTERS], 4) == [[*whole[:3], tokenizer.eos_token_id]]


def test_no_text_ends_in_what_pads(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    first = [ids_of(tokenizer, LETTERS)[:4]]
    tokenizer.pad_token = "<|im_end|>"
    assert encode_texts(tokenizer, [LETTERS], 4) == first
    tokenizer.pad_token, tokenizer.eos_token = "<|endoftext|>", None
    assert encode_texts(tokenizer, [LETTERS], 4) == first


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "\x00", "\ud800"])
def test_a_text_of_nothing_has_no_tokens(text: str, tokenizer: PreTrainedTokenizerBase) -> None:
    assert encode_texts(tokenizer, [text], 9) == [[]]


@pytest.mark.parametrize("token", ["<|endoftext|>", "<|im_end|>"])
@pytest.mark.parametrize("text", ["{}", "好{}", "{}{}", "<{}>", "<\u200b{}"])
def test_no_text_becomes_a_control_token(
    text: str, token: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    (ids,) = encode_texts(tokenizer, [text.replace("{}", token)], 99)
    assert len(ids) > 1
    assert not set(ids[:-1]) & set(tokenizer.all_special_ids)


def test_a_text_with_another_kind_of_padding_is_refused(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    tokenizer.pad_token = "!"
    with pytest.raises(UserError, match=r"'so!' holds '!', which is the tokenizer's padding"):
        encode_texts(tokenizer, ["so", "so!"], 9)
    before = ids_of(tokenizer, "so")
    (ids,) = encode_texts(tokenizer, ["so!"], len(before) + 1)  # what is cut off is not read
    assert ids == [*before, tokenizer.eos_token_id]


def test_what_pads_is_the_tokenizers_own_or_its_end_of_turn(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    assert padding_token(tokenizer) == tokenizer.convert_tokens_to_ids("<|endoftext|>")
    tokenizer.pad_token = None
    assert padding_token(tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>")
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="no pad_token and no eos_token"):
        padding_token(tokenizer)


@pytest.mark.parametrize("text", ["好人", "a 🫨好🫨", "a b", ""])
def test_a_text_is_cut_to_whole_characters(text: str, tokenizer: PreTrainedTokenizerBase) -> None:
    ids = ids_of(tokenizer, text)
    assert cut_text(tokenizer, text, len(ids) + 1) == text
    for num in range(1, len(ids) + 1):
        # Of a character that the cut goes through, decoding shows a sign in its place.
        shown = tokenizer.decode(ids[:num])
        whole = len(shown.rstrip("\ufffd")) + shown.endswith("\ufffd")
        assert cut_text(tokenizer, text, num) == text[:whole]
