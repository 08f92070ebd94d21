"""The output of a model's last layer: the next token, or the class of the whole text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

Head = Literal["causal-lm", "sequence-classification"]

ARCHITECTURE_SUFFIX: dict[Head, str] = {
    "causal-lm": "ForCausalLM",
    "sequence-classification": "ForSequenceClassification",
}


def architectures_with(head: Head, config: Mapping[str, Any]) -> list[str]:
    """The architectures in a model's config.json that have this head."""
    listed = map(str, config.get("architectures") or [])
    return [name for name in listed if name.endswith(ARCHITECTURE_SUFFIX[head])]


def auto_class(head: Head) -> Any:
    """The class of transformers that loads a model with this head."""
    # These imports also import the models, which code that only names a head does not need.
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    if head == "causal-lm":
        return AutoModelForCausalLM
    return AutoModelForSequenceClassification


def known_architectures(head: Head) -> set[str]:
    """The architectures with this head that transformers itself implements."""
    # By its full name: without PyTorch, it is no attribute of its package.
    import transformers.models.auto.modeling_auto as modeling_auto

    if head == "causal-lm":
        return set(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    return set(modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES.values())


def answer_logits(logits: "Tensor", head: Head) -> "Tensor":
    """The logits of the answer to one prompt, shape (words,) or (classes,).

    Args:
        logits: the output of the model, shape (1, tokens, words) or (1, classes).
        head: the head of the model.
    """
    return logits[0, -1] if head == "causal-lm" else logits[0]
