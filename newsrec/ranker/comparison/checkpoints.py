"""A published checkpoint of RRec (You et al., 2025) as a folder that every engine loads.

Its config.json names a class of its authors' own, such as `Qwen2RRecCasualLM`, which neither
transformers nor vLLM knows, and vLLM refuses. That class is `Qwen2ForCausalLM` with another way to
be called: the network and the names of its weights are the same. Heads and tables of its training
may lie beside them (`extra_head`, `item_embedding`); no embedding is read from those, and vLLM
loads no model with such a weight. Code of a checkpoint is never run, and nothing is unpickled.
"""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from newsrec.errors import UserError
from newsrec.files import read_json, write_json
from newsrec.models.heads import known_architectures
from newsrec.models.weights import ANOTHER_MODEL, INDEX, Header, present, read_weights

_THEIRS = re.compile(r"(\w+)RRecCa(?:su|us)alLM")  # spelled "Casual" in the published code
_NETWORK = ("model.", "lm_head.")  # what the weights of the known architectures begin with
_ANOTHER = "choose another model for compare.reasoner"


class Checkpoint(NamedTuple):
    """A model that embeds, as it is loaded."""

    folder: Path
    architecture: str  # of transformers
    num_left_out: int  # weights beside those of the network
    normalised: bool  # embeddings are scaled to length 1 before they are compared


def open_checkpoint(model: Path, target: Path) -> Checkpoint:
    """The model in a folder; one of RRec's is described anew in another folder.

    Its weights are links to the original files; a file with weights that are left out is written
    again without them.

    Args:
        model: folder of a Hugging Face model with safetensors weights. A stock one is used as it
            is; its embeddings are scaled where config.json has `similarity_normalization`. RRec
            has that in its arguments of training, where it is on unless turned off.
        target: folder to write for a checkpoint of RRec's; what is there is replaced.

    Raises:
        UserError: the folder holds no model, or one that cannot be loaded without code of its own.
    """
    if not model.is_dir():
        raise UserError(
            f"{model}: no such folder; expected a Hugging Face model; set compare.reasoner to it"
        )
    if (model / "adapter_config.json").is_file():
        base = read_json(model / "adapter_config.json").get("base_model_name_or_path")
        raise UserError(
            f"{model}: holds an adapter; expected a whole model; merge it into {base!r} (PEFT's "
            "merge_and_unload), save that with its tokenizer, and set compare.reasoner to it"
        )
    try:
        config = read_json(present(model, "config.json"))
        listed = [str(name) for name in config.get("architectures") or []]
        known = known_architectures("causal-lm")
        if stock := [name for name in listed if name in known]:
            return Checkpoint(model, stock[0], 0, bool(config.get("similarity_normalization")))
        theirs = [found[1] for name in listed if (found := _THEIRS.fullmatch(name))]
        architecture = f"{theirs[0]}ForCausalLM" if theirs else ""
        if _architecture_of(model_type := str(config.get("model_type"))) != architecture:
            raise UserError(
                f"{model / 'config.json'}: architectures is {listed}, and model_type is "
                f"{model_type!r}; expected one that transformers has code for, or RRec's own of "
                "the same type, such as Qwen2RRecCasualLM of qwen2: code of a model is never run "
                f"(trust_remote_code stays off): {ANOTHER_MODEL}"
            )
        num_left_out = _describe_anew(model, target, architecture)
    except UserError as error:
        raise UserError(str(error).replace(ANOTHER_MODEL, _ANOTHER)) from error
    return Checkpoint(
        target, architecture, num_left_out, bool(config.get("similarity_normalization", True))
    )


def _architecture_of(model_type: str) -> str | None:
    """The language model of a type, as transformers names it; None where it has none."""
    from transformers.models.auto import modeling_auto

    found: str | None = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(model_type)
    return found


def _describe_anew(model: Path, target: Path, architecture: str) -> int:
    """Write the folder that is loaded; the number of weights that it leaves out."""
    # Take seconds to import, and a mistake in the values of a run is reported before.
    from newsrec.models.checks import check_model
    from newsrec.models.one_form import write_description
    from newsrec.models.usable import check_usable

    # Under a fixed name, so that the next run removes what a killed one left.
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    write_description(model, target)
    config = read_json(target / "config.json") | {"architectures": [architecture]}
    write_json(target / "config.json", config)
    headers = read_weights(model)
    for path, header in headers.items():
        _place(path, header, target)
    if (model / INDEX).is_file():
        index = read_json(model / INDEX)
        kept = {name: file for name, file in index["weight_map"].items() if _is_kept(name)}
        write_json(target / INDEX, index | {"weight_map": kept})
    try:
        check_model(target)
        check_usable(target, target)
    except UserError as error:
        raise UserError(str(error).replace(str(target), str(model))) from error
    return sum(not _is_kept(name) for header in headers.values() for name in header)


def _place(source: Path, header: Header, folder: Path) -> None:
    """Link a file of weights into `folder`, or write it there without those that are left out."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    kept = [name for name in header if _is_kept(name)]
    if len(kept) == len(header):
        (folder / source.name).symlink_to(source.absolute())
    elif kept:
        with safe_open(source, framework="pt") as weights:
            tensors = {name: weights.get_tensor(name) for name in kept}
        save_file(tensors, folder / source.name, metadata={"format": "pt"})


def _is_kept(name: str) -> bool:
    return name.startswith(_NETWORK)
