"""The drawn heads look where heads that copy look; without them nothing does."""

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from newsrec.models.induction import WEIGHTS, draw_induction_heads

LENGTH, BETWEEN = 20, 6


def attentions(has_heads: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the first head of two layers, over random words twice, shape (rows, tokens, tokens)."""
    torch.manual_seed(3)
    config = Qwen3Config(
        vocab_size=500,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        tie_word_embeddings=True,
        initializer_range=WEIGHTS,
        rope_theta=1e6,
        attn_implementation="eager",
    )
    model = Qwen3ForCausalLM(config)
    if has_heads:
        draw_induction_heads(model, seed=1)
    words = torch.randint(500, (16, LENGTH))
    ids = torch.cat([words, torch.randint(500, (16, BETWEEN)), words], dim=1)
    with torch.no_grad():
        found = model(ids, output_attentions=True).attentions
    return found[0][:, 0], found[1][:, 0]


@pytest.mark.parametrize("has_heads", [True, False])
def test_a_head_notes_what_comes_before_and_the_next_finds_what_came_after(has_heads: bool) -> None:
    before, match = attentions(has_heads)
    queries = torch.arange(1, before.shape[-1])
    back = float(before[:, queries, queries - 1].mean())
    second = torch.arange(LENGTH + BETWEEN, 2 * LENGTH + BETWEEN)
    after = float(match[:, second, second - LENGTH - BETWEEN + 1].mean())
    assert (back > 0.9, after > 0.4) == (has_heads, has_heads)
    assert has_heads or max(back, after) < 0.2
