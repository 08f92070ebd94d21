"""Load what `merge` writes: a whole model, or a base and what was trained beside it."""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from newsrec.models.checks import check_model
from newsrec.models.folders import base_of, kind_of
from newsrec.models.heads import Head, auto_class
from newsrec.models.weights import check_whole, num_classes, read_weights


class PrefixedModel:
    """A model whose layers attend to trained keys and values before every prompt.

    PEFT 0.18.1's own `generate` places a prompt that is padded on the left as if the padding were
    part of it (its logits were off by whole units); here the prompt follows the prefix.
    """

    def __init__(self, tuned: PeftModel) -> None:
        self._tuned = tuned
        self._network: PreTrainedModel = tuned.get_base_model()
        self.generation_config = self._network.generation_config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self._network.device
        return device

    def to(self, device: str) -> "PrefixedModel":
        """Move the weights, the prefix with them."""
        self._tuned.to(device)
        return self

    def eval(self) -> "PrefixedModel":
        """Leave training mode."""
        self._tuned.eval()
        return self

    def generate(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **options: Any
    ) -> Any:
        """As `GenerationMixin.generate`: ids and mask of shape (prompts, tokens), padded left."""
        rows = len(input_ids)
        width = self._tuned.active_peft_config.num_virtual_tokens
        # In place of the prefix, which is in the cache already: any token will do.
        places = input_ids.new_zeros((rows, width))
        output = self._network.generate(
            torch.cat([places, input_ids], dim=1),
            attention_mask=torch.cat([torch.ones_like(places), attention_mask], dim=1),
            past_key_values=self._tuned.get_prompt(batch_size=rows),
            **options,
        )
        output.sequences = output.sequences[:, width:]
        return output


def load_causal_lm(folder: Path, dtype: str) -> PreTrainedModel | PrefixedModel:
    """The model in `folder`, on the CPU; the base of an adapter is read from where it names it.

    Args:
        folder: of a whole model, or of a prefix or bottleneck adapters with the base they name.
        dtype: PyTorch's name of it; `auto` takes the model's own.
    """
    kind, base_folder = kind_of(folder), base_of(folder)
    if base_folder is None:
        return load_model(folder, dtype)
    check_whole(folder)
    if kind == "bottleneck":
        # Takes seconds to import, and the other kinds do without.
        from newsrec.models.bottleneck import load_bottleneck

        network = load_model(base_folder, dtype)
        load_bottleneck(network, folder)
        for weight in network.parameters():
            # Not network.to(): that would round the frequencies of the positions too.
            weight.data = weight.data.to(network.dtype)
        return network
    base = load_model(base_folder, dtype)
    tuned = PeftModel.from_pretrained(base, str(folder))
    return PrefixedModel(tuned) if kind == "prefix" else tuned


def load_classifier(
    folder: Path, dtype: str, padding_token: int | None = None
) -> PreTrainedModel | PeftModel:
    """The classifier in `folder`, on the CPU: a whole model, or an adapter with its head and base.

    Args:
        folder: of a model with a head for classes, or of a LoRA adapter that holds one.
        dtype: PyTorch's name of it; `auto` takes the model's own.
        padding_token: that is passed over at the end of a text; None takes the model's own.

    Raises:
        UserError: the model has another head, the adapter none, or a file is missing or broken.
    """
    base = base_of(folder)
    if base is None:
        check_model(folder, "sequence-classification")
        network = load_model(folder, dtype, "sequence-classification")
    else:
        check_whole(folder)
        network = load_model(base, dtype, "sequence-classification", num_labels=num_classes(folder))
    if padding_token is not None:
        network.config.pad_token_id = padding_token
    return network if base is None else PeftModel.from_pretrained(network, str(folder))


def load_model(
    folder: Path, dtype: str | torch.dtype, head: Head = "causal-lm", **head_options: Any
) -> PreTrainedModel:
    """A whole model from its own folder alone: safetensors, no code of it, nothing from a hub.

    Args:
        folder: of a Hugging Face model.
        dtype: of its weights, or PyTorch's name of it; `auto` takes the model's own.
        head: that it is loaded with; weights of it that are not in the folder are drawn.
        head_options: of a new head, like `num_labels`.

    Raises:
        UserError: a file of its weights is missing or broken.
    """
    read_weights(folder)
    network: PreTrainedModel = auto_class(head).from_pretrained(
        folder,
        dtype=dtype,
        **head_options,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,  # never unpickle what a model's folder holds
    )
    if head != "causal-lm":
        # Read by the Hugging Face Trainer: this loss is the mean of one batch, which is still to be
        # divided by the batches of a step (gradient_accumulation_steps).
        network.accepts_loss_kwargs = False
    return network
