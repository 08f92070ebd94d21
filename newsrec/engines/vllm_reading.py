"""Check that training and vLLM read the same values in a model's folder.

They use different versions of transformers, with different defaults for unspecified values.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.engines.vllm_engine import vllm_python
from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.models.one_form import legacy_rope
from newsrec.models.weights import ANOTHER_MODEL
from newsrec.running.processes import run_shown

_WORKER = Path(__file__).with_name("vllm_reading_worker.py")
# Keys that do not affect the computation: origin, ways to run it, ids given in requests.
_NOT_COMPARED = (
    "_name_or_path",
    "architectures",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "id2label",
    "label2id",
    "pad_token_id",
    "return_dict",
    "transformers_version",
    "use_cache",
)
# The names of two layer types in version 5.
_LAYERS = {"mamba": "linear_attention", "attention": "full_attention"}


def check_same_reading(description: Path, source: Path, work: Path) -> None:
    """Compare the values that training and vLLM read in a model's folder.

    Args:
        description: folder with all files of the model except its weights.
        source: the folder to report in errors.
        work: folder for the exchange with vLLM's environment and its log.

    Raises:
        UserError: vLLM cannot read it or does not support its architecture, or the two differ.
    """
    tokenizer = load_tokenizer(description)
    ids = encode_chat(tokenizer, user_turn("Is 7 more than 5?"))
    request, target, log = (work / f"vllm_reading{end}" for end in (".in", ".out", ".log"))
    work.mkdir(parents=True, exist_ok=True)
    request.write_text(json.dumps(ids), encoding="utf-8")
    arguments = (description.absolute(), request, target)
    env = {"VLLM_LOGGING_LEVEL": "ERROR"}
    finished = run_shown([vllm_python(), "-P", _WORKER, *arguments], env, log)
    otherwise = f"set engine=transformers, or {ANOTHER_MODEL}"
    if finished.code != 0:
        raise UserError(f"{source}: vLLM cannot use it ({finished.last_line}); {otherwise}")
    theirs = read_json(target)
    ours = AutoConfig.from_pretrained(description).get_text_config().to_dict()
    found = differences(ours, theirs["config"], source)
    text = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    for name, here in (("eos_token_id", tokenizer.eos_token_id), ("text", text)):
        if theirs[name] != here:
            found[f"the tokenizer's {name}"] = here, theirs[name]
    if found:
        name, (here, there) = next(iter(found.items()))
        raise UserError(
            f"{source}: {name} is {here!r} in training and {there!r} in vLLM, which has another "
            f"version of transformers; expected equal values: set it in the model's files (in a "
            f"copy, with fetch_model.source: local), or {otherwise}"
        )


def differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], source: Path
) -> dict[str, tuple[Any, Any]]:
    """The keys that both configurations have with different values, and the two values.

    Args:
        ours: `to_dict` in version 4.
        theirs: the same in version 5.
        source: the folder to report if a value of theirs has no counterpart.
    """
    # Version 4 keeps unknown values, which would appear as if they had been read.
    known = {key: one for key, one in ours.items() if key != "rope_parameters"}
    here, there = _comparable(known, source), _comparable(theirs, source)
    return {key: (here[key], there[key]) for key in here if here[key] != there.get(key, here[key])}


def _comparable(config: Mapping[str, Any], source: Path) -> dict[str, Any]:
    values = {key: one for key, one in config.items() if key not in _NOT_COMPARED}
    rope = values.pop("rope_parameters", None)
    if rope is None and "rope_theta" in values:
        rope = {**(values.pop("rope_scaling", None) or {}), "rope_theta": values["rope_theta"]}
    if rope is not None:
        values |= legacy_rope(source, str(config.get("model_type")), rope)
    scaling = values.get("rope_scaling")
    if scaling and scaling["rope_type"] in ("llama3", "yarn", "longrope"):
        length = values.get("max_position_embeddings")
        values["rope_scaling"] = {"original_max_position_embeddings": length, **scaling}
    heads = values.get("num_attention_heads")
    if values.get("head_dim", 0) is None and heads:
        values["head_dim"] = values["hidden_size"] // heads
    if values.get("sliding_window", 1) == 0:
        values["sliding_window"] = None
    for key in ("layer_types", "layers_block_type"):
        if layers := values.pop(key, None):
            values[key] = [_LAYERS.get(one, one) for one in layers]
    # As in JSON, a tuple becomes a list.
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    nested = {key for key, one in plain.items() if isinstance(one, dict) and key != "rope_scaling"}
    return {key: one for key, one in plain.items() if key not in nested}
