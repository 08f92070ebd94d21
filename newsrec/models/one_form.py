"""What describes a model, in one form that transformers 4 and 5 read alike.

Training and merging run transformers 4, vLLM runs transformers 5. What 5 writes, 4 reads as if it
were not there, without a word; what 4 writes, 5 reads. So a copy has the form of 4. A file that has
it already stays as it is, byte for byte.
"""

import inspect
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, PretrainedConfig, __version__
from transformers.models.auto.tokenization_auto import tokenizer_class_from_name

from newsrec.errors import UserError
from newsrec.files import read_json, write_text
from newsrec.models.folders import TOKENIZER_FILES
from newsrec.models.weights import ANOTHER_MODEL, read_weights

Values = dict[str, Any]

# safetensors' names of the types that weights may have, and PyTorch's.
_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
# Models whose layers of one kind have a base of their own, under this name.
_LOCAL_BASE = {"gemma3_text": "rope_local_base_freq", "gemma3n_text": "rope_local_base_freq"}
# All that is read of generation_config.json: decoding is greedy, and sampling settings that
# contradict each other cannot be saved again.
_KEPT = (
    "_from_model_config",
    "bos_token_id",
    "decoder_start_token_id",
    "eos_token_id",
    "pad_token_id",
    "transformers_version",
)
# Of transformers 5's own making, or about files that are not copied.
_TOKENIZER_SURPLUS = ("auto_map", "backend", "fast_tokenizer_files", "is_local", "local_files_only")


def write_description(source: Path, target: Path) -> None:
    """Write what describes the model in `source`, all but its weights, into the folder `target`.

    Raises:
        UserError: a file contradicts itself, or says what transformers 4 cannot read.
    """
    forms = {
        "config.json": model_config,
        "generation_config.json": generation_config,
        "tokenizer_config.json": tokenizer_config,
    }
    licences = [path.name for path in sorted(source.glob("LICENSE*")) if path.is_file()]
    for name in [*forms, *TOKENIZER_FILES, *licences]:
        path = source / name
        if not path.is_file():
            continue
        if name in forms and (values := forms[name](path)) != read_json(path):
            write_text(target / name, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        else:
            shutil.copyfile(path, target / name)


def model_config(path: Path) -> Values:
    """The content of a config.json, in the form of transformers 4.

    Raises:
        UserError: two keys contradict each other, or it says what transformers 4 cannot read.
    """
    values = read_json(path)
    model_type = str(values.get("model_type"))
    if model_type not in CONFIG_MAPPING:
        raise UserError(
            f"{path}: transformers {__version__} does not know model_type {model_type!r}: "
            f"{ANOTHER_MODEL}"
        )
    if "configuration_files" in values:
        raise UserError(
            f"{path}: configuration_files names other files for other versions of transformers, "
            f"and training and vLLM are of two; remove the key in a copy, or {ANOTHER_MODEL}"
        )
    values.pop("auto_map", None)  # code, which is not copied
    for key in PretrainedConfig._get_global_generation_defaults():
        values.pop(key, None)
    known = inspect.signature(CONFIG_MAPPING[model_type].__init__).parameters
    if (rope := values.pop("rope_parameters", None)) is not None:
        for key, value in legacy_rope(path, model_type, rope).items():
            if values.get(key, value) not in (None, value):
                raise UserError(
                    f"{path}: {key} is {values[key]!r}, and rope_parameters says {value!r}: "
                    "transformers 4 reads the first, 5 and vLLM the second; remove the wrong one"
                )
            if key not in known and value is not None:
                raise UserError(
                    f"{path}: rope_parameters says {key} = {value!r}, and transformers "
                    f"{__version__} has no such setting for {model_type}: {ANOTHER_MODEL}"
                )
            if key in known:
                values[key] = value
    if values.get("rope_theta") is None and "rope_theta" in known:
        # Else each version fills in a default of its own, and some differ.
        values["rope_theta"] = CONFIG_MAPPING[model_type]().rope_theta
    _set_dtype(path, values)
    return values


def legacy_rope(path: Path, model_type: str, parameters: Mapping[str, Any]) -> Values:
    """`rope_parameters`, of all layers or by the type of layer, under the names of version 4.

    Raises:
        UserError: version 4 has no names for them.
    """
    layers = {key: dict(one) for key, one in parameters.items() if isinstance(one, Mapping)}
    if not layers:
        return _flat_rope(parameters)
    full, local = layers.get("full_attention"), layers.get("sliding_attention")
    if full and local and len(layers) == 2:
        flat, other = _flat_rope(full), _flat_rope(local)
        if flat == other:
            return flat
        if model_type in _LOCAL_BASE and other["rope_scaling"] is None:
            return flat | {_LOCAL_BASE[model_type]: other["rope_theta"]}
        if model_type == "olmo3" and other == flat | {"rope_scaling": None}:
            return flat  # which never scales those layers
    elif len(layers) == 1:
        return _flat_rope(next(iter(layers.values())))
    raise UserError(
        f"{path}: rope_parameters differ by the type of layer ({', '.join(layers)}), and "
        f"transformers {__version__} has no such setting for {model_type}: {ANOTHER_MODEL}"
    )


def _flat_rope(parameters: Mapping[str, Any]) -> Values:
    scaling = {key: value for key, value in parameters.items() if value is not None}
    values = {key: scaling.pop(key) for key in ("rope_theta",) if key in scaling}
    share = scaling.pop("partial_rotary_factor", 1.0)
    if share != 1.0:
        values["partial_rotary_factor"] = share
    kind = scaling.pop("type", "default")
    kind = scaling.pop("rope_type", kind)
    plain = kind == "default" and not scaling
    values["rope_scaling"] = None if plain else {"rope_type": kind, **scaling}
    return values


def _set_dtype(path: Path, values: Values) -> None:
    """Leave one name of the precision, `dtype` unless `torch_dtype` is the only one."""
    names = [key for key in ("dtype", "torch_dtype") if values.get(key) is not None]
    found = {str(values[key]) for key in names}
    if len(found) > 1:
        raise UserError(
            f"{path}: dtype is {values['dtype']!r} and torch_dtype {values['torch_dtype']!r}; "
            "remove the wrong one"
        )
    if len(names) != 1:
        values.pop("torch_dtype", None)
    if not found:
        sizes: dict[str, int] = {}
        for header in read_weights(path.parent).values():
            for tensor in header.values():
                sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.size
        stored = max(sizes, key=lambda name: sizes[name])
        found = {_DTYPES.get(stored, stored)}
        values["dtype"] = _DTYPES.get(stored, stored)
    if not found <= set(_DTYPES.values()):
        raise UserError(
            f"{path}: dtype is {found.pop()!r}; expected one of: {', '.join(_DTYPES.values())}"
        )


def generation_config(path: Path) -> Values:
    """The tokens that a generation_config.json names, without its sampling settings."""
    return {key: value for key, value in read_json(path).items() if key in _KEPT}


def tokenizer_config(path: Path) -> Values:
    """The content of a tokenizer_config.json, in the form of transformers 4.

    Raises:
        UserError: its tokenizer has a class that transformers 4 does not have, and no file that is
            read without one.
    """
    values = {key: one for key, one in read_json(path).items() if key not in _TOKENIZER_SURPLUS}
    name, whole = values.get("tokenizer_class"), path.parent / "tokenizer.json"
    known = None if name is None else _class_of(name)
    if name is not None and (known is None or (whole.is_file() and _is_rebuilt(known, whole))):
        if not whole.is_file():
            raise UserError(
                f"{path}: transformers {__version__} has no {name}, code of a model is never run "
                "(trust_remote_code stays off), and there is no tokenizer.json, which is read "
                f"without it: {ANOTHER_MODEL}"
            )
        values["tokenizer_class"] = "PreTrainedTokenizerFast"  # all of it is in tokenizer.json
    extra = values.get("extra_special_tokens")
    if isinstance(extra, list):
        del values["extra_special_tokens"]
        listed = values.get("additional_special_tokens") or []
        values["additional_special_tokens"] = listed + [one for one in extra if one not in listed]
    if named := values.pop("model_specific_special_tokens", None):
        values["extra_special_tokens"] = {**(values.get("extra_special_tokens") or {}), **named}
    if (path.parent / "chat_template.jinja").is_file():
        values.pop("chat_template", None)  # both versions read the file then
    return values


def _class_of(name: str) -> Any:
    return tokenizer_class_from_name(name) or tokenizer_class_from_name(f"{name}Fast")


def _is_rebuilt(known: Any, whole: Path) -> bool:
    """Whether version 5 would not take a tokenizer.json as it is, but make it fit its class.

    Of a class for SentencePiece it replaces the decoder, and of bytes that garbles every space.
    """
    slow = getattr(known, "slow_tokenizer_class", None) or known
    sentences = str(slow.vocab_files_names.get("vocab_file", "")).endswith(".model")
    decoder = read_json(whole).get("decoder") or {}
    parts = [decoder, *decoder.get("decoders", [])]
    return sentences and any(part.get("type") == "ByteLevel" for part in parts)
