"""Bottleneck adapters of the library `adapters`, for models that it does not support itself.

https://docs.adapterhub.ml/plugin_interface.html
"""

from pathlib import Path

import adapters
from adapters import AdapterModelInterface, SeqBnConfig
from transformers import PreTrainedModel

NAME = "tuned"

# The names of Qwen3's modules, which are the same as Llama's.
_INTERFACE = AdapterModelInterface(
    adapter_methods=["bottleneck"],
    model_embeddings="embed_tokens",
    model_layers="layers",
    layer_self_attn="self_attn",
    layer_cross_attn=None,
    attn_q_proj="q_proj",
    attn_k_proj="k_proj",
    attn_v_proj="v_proj",
    attn_o_proj="o_proj",
    layer_intermediate_proj="mlp.up_proj",
    layer_output_proj="mlp.down_proj",
)


def add_bottleneck(model: PreTrainedModel, reduction_factor: int) -> None:
    """Add one trainable bottleneck after the feed-forward part of every layer, and freeze the rest.

    Pfeiffer et al., https://arxiv.org/abs/2005.00052 (`SeqBnConfig`).

    Args:
        model: changed in place.
        reduction_factor: the width of the model divided by that of the adapter.
    """
    adapters.init(model, interface=_INTERFACE)
    model.add_adapter(NAME, config=SeqBnConfig(reduction_factor=reduction_factor))
    model.train_adapter(NAME)


def save_bottleneck(model: PreTrainedModel, target: Path) -> None:
    """Write only the adapter to the folder `target`, as safetensors."""
    model.save_adapter(str(target), NAME, with_head=False, use_safetensors=True)


def load_bottleneck(model: PreTrainedModel, adapter: Path) -> None:
    """Load a saved adapter into `model` and activate it."""
    adapters.init(model, interface=_INTERFACE)
    model.load_adapter(str(adapter), load_as=NAME, set_active=True, use_safetensors=True)
