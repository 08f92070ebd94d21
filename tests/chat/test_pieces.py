"""Prompts put together from pieces have the ids of the whole, whatever the tokenizer."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from newsrec.chat import pieces
from newsrec.chat.messages import user_turn
from newsrec.chat.pieces import PIECES, PieceEncoder, join_pieces, spans
from newsrec.chat.text import plain_text
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.errors import UserError

# What tokenizers treat in ways of their own: blanks, marks, digits, contractions, letters of other
# scripts, a mark that joins what is before it, half of an emoji.
ODD = [*"aZ09-.!?'\"/\\&<>| \t\u00a0\u2028\u0301\u3000éß中文עברית😀\u200d", "'s", "("]
TITLES = (
    st.one_of(st.lists(st.sampled_from(ODD), max_size=12).map("".join), st.text(max_size=12))
    .map(plain_text)
    .filter(bool)
)


def as_pieces(*messages: list[str]) -> pa.ListArray:
    return pa.array(messages, type=PIECES)


def lines(titles: list[str]) -> list[str]:
    return ["Shown:\n", *(f"- {title}\n" for title in titles), "Well?"]


def check_whole(tokenizer: PreTrainedTokenizerBase, messages: pa.ListArray) -> None:
    found = PieceEncoder(tokenizer)._encode_pieces(messages).to_pylist()
    texts = list(join_pieces(messages))
    assert found == [encode_chat(tokenizer, user_turn(text)) for text in texts]


MESSAGES = st.lists(st.lists(TITLES, max_size=5), min_size=1, max_size=5)


@given(titles=MESSAGES)
@settings(max_examples=12, deadline=None)
def test_lines_of_some_titles_have_the_ids_of_the_whole(
    titles: list[list[str]], tokenizers: list[PreTrainedTokenizerBase]
) -> None:
    for tokenizer in tokenizers:
        check_whole(tokenizer, as_pieces(*map(lines, titles)))


@pytest.mark.slow  # seconds
@given(titles=MESSAGES)
@settings(max_examples=60, deadline=None)
def test_lines_of_any_titles_have_the_ids_of_the_whole(
    titles: list[list[str]], tokenizers: list[PreTrainedTokenizerBase]
) -> None:
    for tokenizer in tokenizers:
        check_whole(tokenizer, as_pieces(*map(lines, titles)))


@pytest.fixture(scope="module", params=["made", pytest.param("real", marks=pytest.mark.real)])
def tokenizers(request: pytest.FixtureRequest) -> list[PreTrainedTokenizerBase]:
    """The tiny model's own, and one that splits as GPT-2 and SmolLM do; Qwen3's and SmolLM2's."""
    if request.param == "real":
        folders = map(request.getfixturevalue, ("qwen3_tokenizer", "smollm2"))
        return [load_tokenizer(folder) for folder in folders]
    own, as_gpt2 = (load_tokenizer(request.getfixturevalue("tiny_model")) for _ in range(2))
    as_gpt2.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return [own, as_gpt2]


def test_parts_of_an_array_are_encoded_as_they_are(tokenizer: PreTrainedTokenizerBase) -> None:
    messages = as_pieces(*(lines([f"title {number}", "b"]) for number in range(9)))
    whole = PieceEncoder(tokenizer).encode(messages).to_pylist()
    encoder = PieceEncoder(tokenizer)
    assert encoder.encode(messages.slice(0, 2)).to_pylist() == whole[:2]
    assert encoder.encode(messages.slice(2, 5)).to_pylist() == whole[2:7]
    assert encoder.encode(messages.slice(9)).to_pylist() == []
    assert encoder.encode(messages.slice(7)).to_pylist() == whole[7:]
    assert encoder.adds_up


def test_a_piece_that_recurs_is_tokenized_once(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    tokenize = type(tokenizer).__call__

    def record(self: object, texts: list[str], **options: bool) -> object:
        asked.extend(texts)
        return tokenize(self, texts, **options)

    monkeypatch.setattr(type(tokenizer), "__call__", record)
    encoder = PieceEncoder(tokenizer)
    for number in (1, 2, 3):
        encoder._encode_pieces(as_pieces(lines(["same", f"title {number}"]), lines(["same"])))
    assert len(asked) == len(set(asked))
    assert asked.count("- same\n") == 1


def test_what_is_remembered_is_bounded(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_MAX_PIECES", 10)
    encoder = PieceEncoder(tokenizer)
    for start in range(0, 50, 5):
        messages = as_pieces(*(lines([f"title {number}"]) for number in range(start, start + 5)))
        ids = encoder.encode(messages).to_pylist()
        assert ids == [encode_chat(tokenizer, user_turn(text)) for text in join_pieces(messages)]
        assert len(encoder._known) <= 20


@pytest.fixture
def crossing(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """A tokenizer whose tokens may hold a line end and what follows it."""
    vocab = {char: number for number, char in enumerate("\n- Showne:tilWab?!<|_>m")}
    vocab |= {"\n-": len(vocab), "<unk>": len(vocab) + 1}
    model = models.BPE(vocab, [("\n", "-")], unk_token="<unk>")
    wrapped = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model))
    wrapped.chat_template = tokenizer.chat_template
    return wrapped


def test_prompts_are_encoded_whole_where_pieces_do_not_add_up(
    crossing: PreTrainedTokenizerBase,
) -> None:
    encoder, messages = PieceEncoder(crossing), as_pieces(lines(["a", "b"]), lines([]))
    expected = [encode_chat(crossing, user_turn(text)) for text in join_pieces(messages)]
    assert encoder._encode_pieces(messages).to_pylist() != expected
    for _ in range(2):
        assert encoder.encode(messages).to_pylist() == expected
        assert encoder.adds_up is False


def test_a_template_that_changes_the_message_is_encoded_whole(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "chat_template", "{{ messages[0].content | upper }}\n")
    encoder, messages = PieceEncoder(tokenizer), as_pieces(lines(["a"]))
    expected = encode_chat(tokenizer, user_turn("SHOWN:\n- A\nWELL?"))
    assert encoder.encode(messages).to_pylist() == [expected]
    assert encoder.adds_up is False


def test_a_later_prompt_that_does_not_add_up_is_refused(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    encoder = PieceEncoder(tokenizer)
    encoder.encode(as_pieces(lines(["a"])))
    odd = as_pieces(["Target ne", "ws:\n", "Well?"])
    assert encoder._encode_pieces(odd) != encoder._encode_whole(odd)
    with pytest.raises(
        UserError, match=r"other token ids than as a whole.*'Target news:\\nWell\?'"
    ):
        encoder.encode(odd)


def test_spans() -> None:
    starts, lengths = np.array([5, 0, 9, 2]), np.array([2, 3, 0, 1])
    assert spans(starts, lengths).tolist() == [5, 6, 0, 1, 2, 2]
    assert spans(starts[:0], lengths[:0]).tolist() == []
