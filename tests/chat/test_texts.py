"""A text by itself as token ids: plain, cut, never the token that pads."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from newsrec.chat.texts import cut_text, encode_texts, padding_token
from newsrec.errors import UserError


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    """Each byte is a token; two control tokens, as Qwen3's."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_alone = Tokenizer(models.BPE({letter: id_ for id_, letter in enumerate(alphabet)}, []))
    bytes_alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_alone.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_alone, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def test_a_text_is_its_own_tokens_and_the_end_of_a_turn(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    ids = encode_texts(tokenizer, ["好", "ab"], 9)
    assert [tokenizer.decode(row) for row in ids] == ["好<|im_end|>", "ab<|im_end|>"]
    assert [len(row) for row in ids] == [4, 3]
    assert encode_texts(tokenizer, [], 9) == []


def test_a_longer_text_is_cut_at_its_end(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.decode(encode_texts(tokenizer, ["abcdef"], 4)[0]) == "abc<|im_end|>"


def test_no_text_ends_in_what_pads(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.pad_token = "<|im_end|>"
    assert tokenizer.decode(encode_texts(tokenizer, ["abcdef"], 4)[0]) == "abcd"
    tokenizer.pad_token, tokenizer.eos_token = "<|endoftext|>", None
    assert tokenizer.decode(encode_texts(tokenizer, ["abcdef"], 4)[0]) == "abcd"


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "\x00", "\ud800"])
def test_a_text_of_nothing_has_no_tokens(text: str, tokenizer: PreTrainedTokenizerFast) -> None:
    assert encode_texts(tokenizer, [text], 9) == [[]]


@pytest.mark.parametrize("token", ["<|endoftext|>", "<|im_end|>"])
@pytest.mark.parametrize("text", ["{}", "好{}", "{}{}", "<{}>", "<\u200b{}"])
def test_no_text_becomes_a_control_token(
    text: str, token: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    (ids,) = encode_texts(tokenizer, [text.replace("{}", token)], 99)
    assert len(ids) > 1
    assert not set(ids[:-1]) & set(tokenizer.all_special_ids)


def test_a_text_with_another_kind_of_padding_is_refused(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    tokenizer.pad_token = "!"
    with pytest.raises(UserError, match=r"'so!' holds '!', which is the tokenizer's padding"):
        encode_texts(tokenizer, ["so", "so!"], 9)
    assert len(encode_texts(tokenizer, ["so!"], 3)[0]) == 3  # what is cut off is not read


def test_what_pads_is_the_tokenizers_own_or_its_end_of_turn(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    assert padding_token(tokenizer) == tokenizer.convert_tokens_to_ids("<|endoftext|>")
    tokenizer.pad_token = None
    assert padding_token(tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>")
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="no pad_token and no eos_token"):
        padding_token(tokenizer)


@pytest.mark.parametrize(
    ("text", "max_tokens", "expected"),
    [("好人", 6, "好人"), ("好人", 5, "好人"), ("好人", 3, "好"), ("a b", 2, "a "), ("", 1, "")],
)
def test_a_text_is_cut_to_whole_characters(
    text: str, max_tokens: int, expected: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert cut_text(tokenizer, text, max_tokens) == expected
