"""The shape of a model, and the sizes of its layers and parameters that follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Shape:
    """The size of a dense model with Qwen3's architecture, by the keys of its config.json."""

    # Read by pydantic, as this is also a section of params.yaml.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

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
        """The number of values in all query heads of a token."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_size(self) -> int:
        """The number of values in all key heads of a token, the same as in all value heads."""
        return self.num_key_value_heads * self.head_dim

    @property
    def linear_layers(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each linear layer of a block, by its name as a LoRA target."""
        return {
            "q_proj": (self.hidden_size, self.query_size),
            "k_proj": (self.hidden_size, self.key_size),
            "v_proj": (self.hidden_size, self.key_size),
            "o_proj": (self.query_size, self.hidden_size),
            "gate_proj": (self.hidden_size, self.intermediate_size),
            "up_proj": (self.hidden_size, self.intermediate_size),
            "down_proj": (self.intermediate_size, self.hidden_size),
        }

    @property
    def block_parameters(self) -> int:
        """Parameters of a block: its linear layers, two norms, one of a query and of a key head."""
        linear = sum(inputs * outputs for inputs, outputs in self.linear_layers.values())
        return linear + 2 * self.hidden_size + 2 * self.head_dim

    @property
    def num_parameters(self) -> int:
        """Parameters in memory: embeddings, blocks, the last norm, and the head unless tied."""
        heads = 1 if self.tie_word_embeddings else 2
        outside = (heads * self.vocab_size + 1) * self.hidden_size
        return outside + self.num_hidden_layers * self.block_parameters

    @property
    def num_parameters_on_disk(self) -> int:
        """Parameters in the files of a fetched model, at most."""
        # A tied head may be stored a second time: Qwen3-0.6B and 1.7B are published so, 4B is not.
        return self.num_parameters + self.tie_word_embeddings * self.vocab_size * self.hidden_size


def read_shape(config: Mapping[str, Any]) -> Shape | None:
    """The shape in a config.json; None for a kind of model that `Shape` does not describe."""
    if any("experts" in key for key in config):
        return None
    values = {"tie_word_embeddings": False, **config}  # an untied head is the larger model
    try:
        values.setdefault("num_key_value_heads", values["num_attention_heads"])
        values.setdefault("head_dim", values["hidden_size"] // values["num_attention_heads"])
        return Shape(**{entry.name: values[entry.name] for entry in fields(Shape)})
    except KeyError:
        return None
