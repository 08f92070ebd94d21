"""The drawn heads look where heads that copy look; without them nothing does."""

import pytest
import torch
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

from newsrec.models.induction import WEIGHTS, draw_induction_heads

LENGTH, ROWS = 20, 64


def rows() -> Tensor:
    """Random words, the same in another order, and as they were at first; no word comes twice."""
    first = torch.stack([torch.randperm(500)[:LENGTH] for _ in range(ROWS)])
    order = torch.stack([torch.randperm(LENGTH) for _ in range(ROWS)])
    return torch.cat([first, first.gather(1, order), first], dim=1)


def attentions(ids: Tensor, num_key_value_heads: int, has_heads: bool) -> tuple[Tensor, ...]:
    """Of the first two layers, shape (rows, heads, tokens, tokens)."""
    config = Qwen3Config(
        vocab_size=500,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=num_key_value_heads,
        head_dim=32,
        tie_word_embeddings=True,
        initializer_range=WEIGHTS,
        rope_theta=1e6,
        attn_implementation="eager",
    )
    model = Qwen3ForCausalLM(config)
    if has_heads:
        draw_induction_heads(model, seed=1)
    with torch.no_grad():
        found: tuple[Tensor, ...] = model(ids, output_attentions=True).attentions
    return found


@pytest.mark.parametrize("num_key_value_heads", [1, 2, 4])
@pytest.mark.parametrize("has_heads", [True, False])
def test_heads_note_what_comes_before_and_the_next_finds_what_came_after(
    num_key_value_heads: int, has_heads: bool
) -> None:
    torch.manual_seed(3)
    ids = rows()
    before, match = attentions(ids, num_key_value_heads, has_heads)
    queries = torch.arange(2, ids.shape[1])
    back = [float(before[:, num, queries, queries - num - 1].mean()) for num in (0, 1)]

    # From the third word on: two words tell which of its two places it is.
    queries = torch.arange(2 * LENGTH + 2, 3 * LENGTH - 1)
    after = match[:, 0, queries, queries - 2 * LENGTH + 1]
    shuffled = ids[:, LENGTH : 2 * LENGTH]
    places = (shuffled[:, None] == ids[:, queries, None]).int().argmax(dim=2) + LENGTH + 1
    misled = match[:, 0, queries].gather(2, places[..., None])[..., 0]
    found = float(after.mean()), float(misled.mean())
    if has_heads:
        assert min(back) > 0.9
        assert found[0] > 0.25
        assert found[1] < 0.1
    else:
        assert max(*back, *found) < 0.1
