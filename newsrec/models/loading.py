"""Load the output of `merge`: a whole model, or a base model with an adapter."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedModel

from newsrec.models.checks import check_model
from newsrec.models.folders import base_of, kind_of
from newsrec.models.heads import Head, auto_class
from newsrec.models.threads import limit_threads
from newsrec.models.weights import check_whole, num_classes, read_weights

if TYPE_CHECKING:
    from peft import PeftModel


class PrefixedModel:
    """A model whose layers attend to trained keys and values before every prompt.

    PEFT 0.18.1's own `generate` computes positions as if left padding were part of the prompt (its
    logits were wrong by whole units); here the prompt directly follows the prefix.
    """

    def __init__(self, tuned: "PeftModel") -> None:
        self._tuned = tuned
        self._network: PreTrainedModel = tuned.get_base_model()
        self.generation_config = self._network.generation_config

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        device: torch.device = self._network.device
        return device

    def to(self, device: str) -> "PrefixedModel":
        """Move the weights, including the prefix."""
        self._tuned.to(device)
        return self

    def eval(self) -> "PrefixedModel":
        """Switch to evaluation mode."""
        self._tuned.eval()
        return self

    def generate(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **options: Any
    ) -> Any:
        """As `GenerationMixin.generate`: ids and mask of shape (prompts, tokens), left-padded."""
        rows = len(input_ids)
        width = self._tuned.active_peft_config.num_virtual_tokens
        # Placeholders for the prefix, which is already in the cache; any token can be used.
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
    """The model in `folder`, on the CPU; an adapter is loaded together with its base.

    Args:
        folder: folder of a whole model, or of a prefix or bottleneck adapters.
        dtype: PyTorch's name of the dtype; `auto` is the model's own.
    """
    kind, base_folder = kind_of(folder), base_of(folder)
    if base_folder is None:
        return load_model(folder, dtype)
    check_whole(folder)
    if kind == "bottleneck":
        # The import takes seconds, and other kinds do not need it.
        from newsrec.models.bottleneck import load_bottleneck

        network = load_model(base_folder, dtype)
        load_bottleneck(network, folder)
        for weight in network.parameters():
            # Not network.to(), which would also round the frequencies of the positions.
            weight.data = weight.data.to(network.dtype)
        return network
    tuned = _with_adapter(load_model(base_folder, dtype), folder)
    return PrefixedModel(tuned) if kind == "prefix" else tuned


def load_classifier(
    folder: Path, dtype: str, padding_token: int | None = None
) -> "PreTrainedModel | PeftModel":
    """The classifier in `folder`, on the CPU: a whole model, or an adapter with head and base.

    Args:
        folder: folder of a model with a classification head, or of a LoRA adapter with one.
        dtype: PyTorch's name of the dtype; `auto` is the model's own.
        padding_token: the token that is ignored at the end of a text; None: the model's own.

    Raises:
        UserError: the head is missing or of another kind, or a file is missing or damaged.
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
    return network if base is None else _with_adapter(network, folder)


def load_model(
    folder: Path, dtype: str | torch.dtype, head: Head = "causal-lm", **head_options: Any
) -> PreTrainedModel:
    """Load a whole model from its own folder: only safetensors, no model code and no hub.

    From then on, this process computes on one thread if the model is small, see
    `newsrec.models.threads`.

    Args:
        folder: folder of a Hugging Face model.
        dtype: the dtype of its weights, or PyTorch's name of it; `auto` is the model's own.
        head: the head to load; weights of the head that are not in the folder are initialised.
        head_options: options of a new head, such as `num_labels`.

    Raises:
        UserError: a file of its weights is missing or damaged.
    """
    read_weights(folder)
    network: PreTrainedModel = auto_class(head).from_pretrained(
        folder,
        dtype=dtype,
        **head_options,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,  # never unpickle files of a model
    )
    limit_threads(network.num_parameters())
    if head != "causal-lm":
        # For the Hugging Face Trainer: this loss is the mean over one batch, which must still be
        # divided by the number of batches of a step (gradient_accumulation_steps).
        network.accepts_loss_kwargs = False
    return network


def _with_adapter(base: PreTrainedModel, folder: Path) -> "PeftModel":
    from peft import PeftModel  # takes seconds to import, and only adapters need it

    return PeftModel.from_pretrained(base, str(folder))
