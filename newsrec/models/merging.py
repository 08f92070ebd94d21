"""Write a base model and its trained weights to one folder for an engine, and check its answers."""

import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import takewhile
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import AutoConfig, DynamicCache, PreTrainedModel

from newsrec.errors import UserError
from newsrec.files import sha256_folder, write_json
from newsrec.models.folders import copy_tokenizer
from newsrec.models.heads import Head, answer_logits
from newsrec.models.loading import load_model
from newsrec.models.weights import check_whole, read_weights

_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # by the bytes of a number


class Fidelity(NamedTuple):
    """How closely a written model matches the model that it was made from, over all prompts."""

    # The largest absolute difference in a logit of the next token or of a class.
    difference: float
    # The same between the written model and itself with every weight moved randomly to the next
    # higher or lower number in its precision: an upper bound of the effect of rounding.
    rounding: float


def check_base(base: Path, protocol: Mapping[str, str], trained: Path) -> None:
    """Refuse weights trained on another base model, which could have the same shape.

    Args:
        base: folder of the base model.
        protocol: the protocol of the training; `model` ends with the digest of the base.
        trained: folder of the trained weights, for the message.

    Raises:
        UserError: it was another base, or a file of the base is truncated.
    """
    read_weights(base)  # otherwise a truncated base would be reported as another model
    trained_on, digest = protocol.get("model"), sha256_folder(base)[:12]
    if trained_on and not trained_on.endswith(digest):
        raise UserError(
            f"{trained / 'protocol.json'}: trained on {trained_on}, but {base} is another model, "
            f"{digest}; train again on this model (dvc repro train), or fetch the other one"
        )


def check_fidelity(
    found: Fidelity, tolerance: float, target: Path, base: Path, expected: str
) -> None:
    """Refuse a written model that answers differently.

    Args:
        found: the measured differences.
        tolerance: the largest allowed difference in a logit, as a multiple of that of rounding.
        target: the written model, for the message.
        base: the model whose precision it has.
        expected: a description of the model that it is compared with.

    Raises:
        UserError: a logit is not a number, or differs by more.
    """
    difference, rounding = found
    if isnan(difference):
        raise UserError(
            f"{target}: logits are not numbers in the precision of {base}; load that model in "
            "bfloat16 or float32, save it, and fetch it from there (fetch_model.source: local), or "
            "lower train.lr"
        )
    if difference > tolerance * rounding:
        raise UserError(
            f"{target}: a logit differs by {difference:.3g} from {expected}, expected "
            f"at most merge.tolerance={tolerance:g} times the {rounding:.3g} that rounding the "
            "weights causes; train other layers (train.targets), or raise merge.tolerance if this "
            "difference is acceptable"
        )


def merge_adapter(
    base: Path,
    adapter: Path,
    target: Path,
    prompts: Sequence[Sequence[int]],
    max_shard_size: str,
    head: Head = "causal-lm",
    **head_options: Any,
) -> Fidelity:
    """Write base + adapter as one model to `target`, in safetensors shards, and check it.

    This runs on the CPU in the base's own precision, with one model in memory at a time. If the
    adapter changes embeddings or a head that share one weight, they get separate weights.

    Args:
        base: folder of the base model.
        adapter: PEFT folder of a LoRA adapter trained on it.
        target: an existing empty folder.
        prompts: token ids on which the two models are compared.
        max_shard_size: maximum size of a weights file, such as "4GB".
        head: the head of the trained model.
        head_options: options of a head that the base does not have, see `load_model`.

    Returns:
        The merged model, read back from `target`, compared with base + adapter.

    Raises:
        UserError: the adapter does not fit the base, or a file of either is damaged.
    """
    check_whole(adapter)
    model = _load(base, head=head, **head_options)
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"{adapter}: does not fit the model in {base} ({' '.join(str(error).split())}); train "
            "it again on this model"
        ) from None
    before = _logits(adapted, prompts, head)
    _untie_adapted(adapted.get_base_model())
    merged = adapted.merge_and_unload()
    merged.save_pretrained(target, safe_serialization=True, max_shard_size=max_shard_size)
    copy_tokenizer(base, target)
    del model, adapted, merged
    return _fidelity(before, target, prompts, head)


def export_model(
    base: Path,
    trained: Path,
    target: Path,
    prompts: Sequence[Sequence[int]],
    max_shard_size: str,
    head: Head = "causal-lm",
) -> Fidelity:
    """Write a fully trained model to `target`, in the base's precision, and check it.

    The trained weights are float32; they are rounded to the precision of the base model.

    Args:
        base: folder of the model before training, for its precision and tokenizer.
        trained: folder of the trained weights.
        target: an existing empty folder.
        prompts: token ids on which the two models are compared.
        max_shard_size: maximum size of a weights file, such as "4GB".
        head: the head of the trained model.

    Returns:
        The exported model compared with the trained one.
    """
    # If some layers were frozen, its config.json only has their precision.
    model = _load(trained, "float32", head)
    before = _logits(model, prompts, head)
    model.to(AutoConfig.from_pretrained(base).dtype or model.dtype)
    model.save_pretrained(target, safe_serialization=True, max_shard_size=max_shard_size)
    copy_tokenizer(base, target)
    del model
    return _fidelity(before, target, prompts, head)


def export_adapter(base: Path, adapter: Path, target: Path) -> None:
    """Copy an adapter that cannot be merged to `target`, with tokenizer and digest of its base.

    Its adapter_config.json refers to the folder of the base, as its library expects.
    """
    for path in adapter.iterdir():
        shutil.copyfile(path, target / path.name)
    copy_tokenizer(base, target)
    # So that the folder changes if the base in the same place changes.
    write_json(target / "base.json", {"folder": str(base), "sha256": sha256_folder(base)})


def _untie_adapted(network: PreTrainedModel) -> None:
    """Give a tied head its own weight if the adapter changes the head or the embeddings.

    A shared weight cannot include a change of only one of them.
    """
    embeddings, head = network.get_input_embeddings(), network.get_output_embeddings()
    adapted = any(isinstance(layer, BaseTunerLayer) for layer in (embeddings, head))
    if not (network.config.tie_word_embeddings and adapted):
        return
    network.config.tie_word_embeddings = False
    layer = head.get_base_layer() if isinstance(head, BaseTunerLayer) else head
    layer.weight = torch.nn.Parameter(layer.weight.detach().clone(), requires_grad=False)


def _fidelity(
    before: Sequence[torch.Tensor], target: Path, prompts: Sequence[Sequence[int]], head: Head
) -> Fidelity:
    written = _load(target, head=head)
    after = _logits(written, prompts, head)
    _move_by_one_rounding(written)
    moved = _logits(written, prompts, head)
    return Fidelity(_largest_difference(before, after), _largest_difference(after, moved))


@torch.no_grad()
def _move_by_one_rounding(model: torch.nn.Module) -> None:
    generator = np.random.default_rng(0)
    for weight in model.parameters():
        # Two numbers of one sign are next to each other if their bits are, read as integers.
        integers = weight.data.view(-1).view(_INTEGERS[weight.element_size()])
        for piece in torch.split(integers, 2**20):  # what is drawn takes memory
            step = torch.from_numpy(generator.integers(0, 2, len(piece), np.int8)).mul_(2).sub_(1)
            is_zero = piece & torch.iinfo(piece.dtype).max == 0  # it has no lower neighbour
            piece.add_(step.masked_fill_(is_zero, 1))


def _largest_difference(before: Sequence[torch.Tensor], after: Sequence[torch.Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(before, after, strict=True))


def _load(
    folder: Path, dtype: str = "auto", head: Head = "causal-lm", **head_options: Any
) -> PreTrainedModel:
    model = load_model(folder, dtype, head, **head_options)
    model.eval()
    return model


@torch.no_grad()
def _logits(
    model: torch.nn.Module, prompts: Sequence[Sequence[int]], head: Head
) -> list[torch.Tensor]:
    # What all prompts begin with is computed once, where it is attention alone that looks back.
    columns = zip(*prompts, strict=False)  # ends with the shortest
    num_shared = len(list(takewhile(lambda ids: len(set(ids)) == 1, columns)))
    num_shared = min(num_shared, *(len(ids) - 1 for ids in prompts))
    cache = None
    if num_shared:
        cache = getattr(_answer(model, prompts[0][:num_shared], None), "past_key_values", None)
    if type(cache) is not DynamicCache:
        num_shared, cache = 0, None
    return [
        answer_logits(_answer(model, ids[num_shared:], deepcopy(cache)).logits, head).float()
        for ids in prompts
    ]


def _answer(model: torch.nn.Module, ids: Sequence[int], cache: DynamicCache | None) -> Any:
    past = {} if cache is None else {"past_key_values": cache}
    return model(input_ids=torch.tensor([ids]), **past)
