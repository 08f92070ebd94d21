"""Weights with which a tiny Qwen3 can copy before it has learned anything.

A large model learns to copy: heads of one layer note at each token which ones are before it, and a
head of the next looks for the notes of the token at hand and writes what is there, the
induction heads of Olsson et al., "In-context Learning and Induction Heads" (2022),
https://arxiv.org/abs/2209.11895. In the steps that a tiny model has, none emerge (docs/LOG.md), so
they are drawn into its first two layers, weakly, for the training to make use of.
"""

import math

import torch
from torch import Tensor
from transformers import Qwen3ForCausalLM

# Spreads of what is drawn: of weights as usual; of embeddings so that they outweigh these.
WEIGHTS, EMBEDDINGS = 0.02, 0.1
_NUM_FREQUENCIES = 3  # of the rotary embedding that tell a token from its neighbours
_BEFORE_SHARPNESS, _MATCH_SHARPNESS = 2.0, 1.5  # weights of the norms of queries and keys
_NOTE, _WRITTEN, _OTHER = 1.5, 2.0, 0.2  # by the spread of the embeddings


@torch.no_grad()
def draw_induction_heads(model: Qwen3ForCausalLM, seed: int) -> None:
    """Draw induction heads: two heads of the first layer, and the first of the second.

    The last dimension of the embeddings becomes the same for all tokens, so that a head can look at
    a position whatever token is there; the `head_dim` ones before it hold the notes. The notes are
    of the two tokens before, the earlier one rotated to keep them apart. Both are compared, since a
    token that occurs twice may be followed by different ones.

    Args:
        model: of two layers or more, drawn with `WEIGHTS` as its `initializer_range`; changed in
            place.
        seed: of the projections.
    """
    config = model.config
    size, width = config.head_dim, config.hidden_size
    words, notes, same = width - 1 - size, slice(width - 1 - size, width - 1), width - 1
    embeddings = model.model.embed_tokens.weight
    embeddings *= EMBEDDINGS / WEIGHTS
    embeddings[:, notes] *= _OTHER
    embeddings[:, same] = 2 * EMBEDDINGS
    generator = torch.Generator().manual_seed(seed)
    compared, copied = (_projection(size, words, width, generator) for _ in range(2))
    rotation, _ = torch.linalg.qr(torch.randn(size, size, generator=generator))
    before, match = (layer.self_attn for layer in model.model.layers[:2])

    for head, turned in enumerate((torch.eye(size), rotation)):
        group = head * config.num_key_value_heads // config.num_attention_heads
        rows, shared = (slice(place * size, (place + 1) * size) for place in (head, group))
        key, query = _positions_back(head + 1, size, config.rope_theta)
        before.k_proj.weight[shared] = _reading(key, same, width)
        before.q_proj.weight[rows] = _reading(query, same, width)
        before.v_proj.weight[shared] = compared
        before.o_proj.weight[:, rows] = 0
        before.o_proj.weight[notes, rows] = turned * EMBEDDINGS * _NOTE

    match.q_proj.weight[:size] = compared
    match.q_proj.weight[:size, notes] = rotation
    match.k_proj.weight[:size] = 0
    match.k_proj.weight[:size, notes] = torch.eye(size)
    match.v_proj.weight[:size] = copied
    match.o_proj.weight[:, :size] = copied.T * EMBEDDINGS * _WRITTEN

    for attention, sharpness in ((before, _BEFORE_SHARPNESS), (match, _MATCH_SHARPNESS)):
        attention.q_norm.weight.fill_(sharpness)
        attention.k_norm.weight.fill_(sharpness)


def _projection(size: int, words: int, width: int, generator: torch.Generator) -> Tensor:
    """Orthonormal rows that read the first `words` dimensions, shape (size, width)."""
    square, _ = torch.linalg.qr(torch.randn(words, words, generator=generator))
    return torch.nn.functional.pad(square[:size], (0, width - words))


def _positions_back(num: int, size: int, theta: float) -> tuple[Tensor, Tensor]:
    """A key and a query, shape (size,), whose product is largest `num` positions apart."""
    key, query = torch.zeros(size), torch.zeros(size)
    for place in range(_NUM_FREQUENCIES):
        angle = num * theta ** (-2 * place / size)
        key[place] = 1
        query[place], query[place + size // 2] = math.cos(angle), -math.sin(angle)
    return key, query


def _reading(values: Tensor, dimension: int, width: int) -> Tensor:
    """Weights that give `values` times one dimension of what they read."""
    weights = torch.zeros(len(values), width)
    weights[:, dimension] = values
    return weights
