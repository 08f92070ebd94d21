"""The shape of a model, and what follows from it alone: its layers and its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Shape:
    """The size of a dense model of Qwen3's kind, under the names of its config.json."""

    hidden_size: int
    num_hidden_layers: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    tie_word_embeddings: bool

    @property
    def query_size(self) -> int:
        """Values of all query heads of a token."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_size(self) -> int:
        """Values of all key heads of a token, as many as of all value heads."""
        return self.num_key_value_heads * self.head_dim


def read_shape(config: Mapping[str, Any]) -> Shape | None:
    """The shape that a config.json tells; None where it is of a kind that `Shape` cannot tell."""
    if any("experts" in key for key in config):
        return None
    told = {"tie_word_embeddings": False, **config}  # an untied head is the larger model
    try:
        told.setdefault("num_key_value_heads", told["num_attention_heads"])
        told.setdefault("head_dim", told["hidden_size"] // told["num_attention_heads"])
        return Shape(**{entry.name: told[entry.name] for entry in fields(Shape)})
    except KeyError:
        return None


def linear_layers(shape: Shape) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of each linear layer of a block, by the name that LoRA targets it with."""
    hidden, inner = shape.hidden_size, shape.intermediate_size
    return {
        "q_proj": (hidden, shape.query_size),
        "k_proj": (hidden, shape.key_size),
        "v_proj": (hidden, shape.key_size),
        "o_proj": (shape.query_size, hidden),
        "gate_proj": (hidden, inner),
        "up_proj": (hidden, inner),
        "down_proj": (inner, hidden),
    }


def num_parameters(shape: Shape) -> int:
    """Parameters in memory: embeddings, blocks, the last norm, and the head unless it is tied."""
    embeddings = shape.vocab_size * shape.hidden_size
    heads = 1 if shape.tie_word_embeddings else 2
    return (
        heads * embeddings + shape.num_hidden_layers * block_parameters(shape) + shape.hidden_size
    )


def num_parameters_on_disk(shape: Shape) -> int:
    """Parameters in the files of a fetched model, at most.

    A tied head may be stored a second time: Qwen3-0.6B and 1.7B are published so, 4B is not.
    """
    twice = shape.vocab_size * shape.hidden_size if shape.tie_word_embeddings else 0
    return num_parameters(shape) + twice


def linear_parameters(shape: Shape) -> int:
    """Parameters of the linear layers of a block."""
    return sum(inputs * outputs for inputs, outputs in linear_layers(shape).values())


def block_parameters(shape: Shape) -> int:
    """Parameters of a block: linear layers, two norms, and the norms of a query and a key head."""
    return linear_parameters(shape) + 2 * shape.hidden_size + 2 * shape.head_dim
