"""The tiny model learns from any corpus of chats or texts."""

from pathlib import Path

import pytest

from newsrec.chat.examples import Example
from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.models.checks import check_model
from newsrec.models.facts import describe_model
from newsrec.models.tiny import _encode, build_tiny

TEXTS: list[Example] = [
    ([], f"The {animal} {verb} the {thing}.")
    for animal in ("cat", "dog", "cow", "hen")
    for verb in ("sees", "likes", "follows")
    for thing in ("ball", "bird", "farmer", "tree")
]
NUMBERS = {"one": ("un", "eins"), "two": ("deux", "zwei"), "three": ("trois", "drei")}
CHATS: list[Example] = [
    ([{"role": "system", "content": language}, *user_turn(number)], answer)
    for number, answers in NUMBERS.items()
    for language, answer in zip(("French", "German"), answers, strict=True)
]


def build(folder: Path, examples: list[Example], steps: int) -> float:
    folder.mkdir()
    return build_tiny(
        folder,
        examples,
        vocab_size=400,
        hidden_size=32,
        num_layers=1,
        max_length=128,
        steps=steps,
        batch_size=6,
        lr=1e-2,
        seed=1,
    )


@pytest.mark.slow
def test_a_corpus_of_plain_texts_is_learned(tmp_path: Path) -> None:
    first = build(tmp_path / "first", TEXTS, steps=1)
    last = build(tmp_path / "last", TEXTS, steps=60)
    assert last < 1 < 4 < first
    check_model(tmp_path / "last")
    assert describe_model(tmp_path / "last")["architecture"] == "Qwen3ForCausalLM"
    tokenizer = load_tokenizer(tmp_path / "last")
    assert len(tokenizer.encode(" follows")) == 1
    ((ids, num_prompt),) = _encode(tokenizer, TEXTS[:1])
    assert (tokenizer.decode(ids), num_prompt) == ("The cat sees the ball.<|im_end|>\n", 0)


@pytest.mark.slow
def test_what_a_system_message_asks_for_is_learned(tmp_path: Path) -> None:
    first = build(tmp_path / "first", CHATS, steps=1)
    last = build(tmp_path / "last", CHATS, steps=60)
    # Whoever does not read it guesses one of two languages: ln 2 for an answer of three tokens.
    assert last < 0.1 < 0.69 / 3 < 3 < first
    without: list[Example] = [(messages[1:], answer) for messages, answer in CHATS]
    assert build(tmp_path / "without", without, steps=60) > 0.69 / 3 - 0.02


@pytest.mark.parametrize("examples", [TEXTS, CHATS])
def test_the_chat_template_shows_every_role(examples: list[Example], tmp_path: Path) -> None:
    build(tmp_path / "built", examples, steps=1)
    tokenizer = load_tokenizer(tmp_path / "built")
    shown = tokenizer.decode(encode_chat(tokenizer, CHATS[0][0]))
    assert shown == (
        "<|im_start|>system\nFrench<|im_end|>\n<|im_start|>user\none<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
