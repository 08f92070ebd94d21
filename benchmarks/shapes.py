"""A model of random weights in a real shape, and made-up text to train and score it on.

Speed does not depend on the values of weights. The tokenizer is one of the tiny model's kind, made
here: nothing comes from a network.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from transformers import AutoModelForCausalLM, Qwen3Config

from benchmarks.candidates import unique_tokens
from newsrec.chat.messages import Messages, user_turn
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.request import FewPrompts
from newsrec.models.shape import Shape
from newsrec.models.tiny import build_tiny
from newsrec.news.corpus import examples
from newsrec.news.mind.synthetic import TOPICS, make_title
from newsrec.news.prompts import INSTRUCTION, NO, YES, prompt_input, user_message
from newsrec.training.dataset import SPLITS, SampleSet, write_dataset_info

# For a test on two cores.
TINY = Shape(
    hidden_size=64,
    num_hidden_layers=2,
    intermediate_size=192,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=32,
    vocab_size=1024,
    tie_word_embeddings=False,
)
# As MIND's dev split has them, and as the published prompt shows of a user.
NUM_CANDIDATES, NUM_SHOWN = 37, 3
MAX_LENGTH = 1088


def write_model(target: Path, shape: Shape, dtype: torch.dtype) -> None:
    """Write a Qwen3 of that shape, its weights drawn at random, into the existing folder `target`.

    Drawn on the GPU where there is one: on the CPU eight billion numbers take minutes.
    """
    with TemporaryDirectory() as folder:
        build_tiny(
            Path(folder),
            examples(1000, seed=1),
            vocab_size=1000,
            hidden_size=32,
            num_layers=1,
            max_length=MAX_LENGTH,
            steps=2,
            batch_size=1,
            lr=1e-3,
            seed=1,
        )
        tokenizer = load_tokenizer(Path(folder))
    config = Qwen3Config(
        **asdict(shape),
        max_position_embeddings=MAX_LENGTH,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(1)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.save_pretrained(target, safe_serialization=True, max_shard_size="4GB")
    tokenizer.save_pretrained(target)


def write_samples(folder: Path, num_train: int, num_val: int) -> SampleSet:
    """Training samples as `preprocess` writes them; users differ in how much is known of them."""
    samples, rng = SampleSet(folder, "mind"), np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    write_dataset_info(samples)
    for split, num in zip(SPLITS, (num_train, num_val), strict=True):
        with (folder / f"{samples.dataset(split)}.jsonl").open("w", encoding="utf-8") as stream:
            for number in range(num):
                shown = [_titles(int(rng.integers(NUM_SHOWN + 1)), rng) for _ in range(3)]
                history, liked, disliked = shown
                record = {
                    "instruction": INSTRUCTION,
                    "input": prompt_input(history, liked, disliked, _titles(1, rng)[0]),
                    "output": (YES, NO)[number % 2],
                }
                stream.write(json.dumps(record) + "\n")
    return samples


def impressions(num: int) -> list[Messages]:
    """The prompts of `num` whole impressions, `NUM_CANDIDATES` each, one after the other."""
    rng = np.random.default_rng(2)
    prompts = []
    for _ in range(num):
        history, liked, disliked = (_titles(NUM_SHOWN, rng) for _ in range(3))
        for target in _titles(NUM_CANDIDATES, rng):
            prompts.append(user_turn(user_message(history, liked, disliked, target)))
    return prompts


def without_shared_beginnings(prompts: Sequence[Sequence[int]], num_words: int) -> list[list[int]]:
    """As many tokens, but no two prompts begin alike: two tokens of each number it.

    Args:
        prompts: token ids.
        num_words: size of the vocabulary; its square is more than the prompts.
    """
    return [[*divmod(number, num_words), *ids[2:]] for number, ids in enumerate(prompts)]


def num_unique_tokens(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that must be computed where each beginning that prompts share is computed once."""
    return unique_tokens(FewPrompts(sorted(map(list, prompts))))


def _titles(num: int, rng: np.random.Generator) -> list[str]:
    return [make_title(int(rng.integers(len(TOPICS))), rng) for _ in range(num)]
