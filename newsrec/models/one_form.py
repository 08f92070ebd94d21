"""Write the descriptive files of a model in a form that transformers 4 and 5 read identically.

Training and merging use transformers 4, and vLLM uses transformers 5. Version 4 silently ignores
new keys of version 5, while version 5 reads the files of version 4. A copy therefore has the form
of version 4. A file that already has this form is copied unchanged.
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

# The names of the dtypes of weights in safetensors and in PyTorch.
_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
# Models in which one kind of layers has a separate rope base, with this key.
_LOCAL_BASE = {"gemma3_text": "rope_local_base_freq", "gemma3n_text": "rope_local_base_freq"}
# The only keys read from generation_config.json: decoding is greedy, and contradictory sampling
# settings could not be saved again.
_KEPT = (
    "_from_model_config",
    "bos_token_id",
    "decoder_start_token_id",
    "eos_token_id",
    "pad_token_id",
    "transformers_version",
)
# Keys that transformers 5 adds, or that refer to files that are not copied.
_TOKENIZER_SURPLUS = ("auto_map", "backend", "fast_tokenizer_files", "is_local", "local_files_only")


def write_description(source: Path, target: Path) -> None:
    """Write all files of the model in `source` except its weights to the folder `target`.

    Raises:
        UserError: a file contradicts itself, or has settings that transformers 4 cannot read.
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
        UserError: two keys contradict each other, or transformers 4 cannot read a setting.
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
            f"{path}: configuration_files lists other files for other versions of transformers, "
            "but training and vLLM use different versions; remove the key in a copy of the model, "
            f"or {ANOTHER_MODEL}"
        )
    values.pop("auto_map", None)  # code, which is not copied
    for key in PretrainedConfig._get_global_generation_defaults():
        values.pop(key, None)
    known = inspect.signature(CONFIG_MAPPING[model_type].__init__).parameters
    if (rope := values.pop("rope_parameters", None)) is not None:
        for key, value in legacy_rope(path, model_type, rope).items():
            if values.get(key, value) not in (None, value):
                raise UserError(
                    f"{path}: {key} is {values[key]!r}, and rope_parameters has {value!r}: "
                    "transformers 4 reads the first, 5 and vLLM the second; remove the wrong one"
                )
            if key not in known and value is not None:
                raise UserError(
                    f"{path}: rope_parameters has {key} = {value!r}, but transformers "
                    f"{__version__} has no such setting for {model_type}: {ANOTHER_MODEL}"
                )
            if key in known:
                values[key] = value
    if values.get("rope_theta") is None and "rope_theta" in known:
        # Otherwise each version uses its own default, and some of them differ.
        values["rope_theta"] = CONFIG_MAPPING[model_type]().rope_theta
    _set_dtype(path, values)
    return values


def legacy_rope(path: Path, model_type: str, parameters: Mapping[str, Any]) -> Values:
    """`rope_parameters`, for all layers or by type of layer, with the keys of version 4.

    Raises:
        UserError: version 4 has no keys for them.
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
    """Keep one key for the precision, `dtype` unless only `torch_dtype` exists."""
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
    """The special tokens in a generation_config.json, without its sampling settings."""
    return {key: value for key, value in read_json(path).items() if key in _KEPT}


def tokenizer_config(path: Path) -> Values:
    """The content of a tokenizer_config.json, in the form of transformers 4.

    Raises:
        UserError: transformers 4 does not have the class of its tokenizer, and there is no
            tokenizer.json, which could be read without it.
    """
    values = {key: one for key, one in read_json(path).items() if key not in _TOKENIZER_SURPLUS}
    name, whole = values.get("tokenizer_class"), path.parent / "tokenizer.json"
    known = None if name is None else _class_of(name)
    if name is not None and (known is None or (whole.is_file() and _is_rebuilt(known, whole))):
        if not whole.is_file():
            raise UserError(
                f"{path}: transformers {__version__} has no {name}, code of a model is never run "
                "(trust_remote_code stays off), and there is no tokenizer.json, which could be "
                f"read without it: {ANOTHER_MODEL}"
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
    """Whether version 5 would change a tokenizer.json to fit its class.

    For a SentencePiece class, it replaces the decoder; with byte-level tokens this breaks spaces.
    """
    slow = getattr(known, "slow_tokenizer_class", None) or known
    sentences = str(slow.vocab_files_names.get("vocab_file", "")).endswith(".model")
    decoder = read_json(whole).get("decoder") or {}
    parts = [decoder, *decoder.get("decoders", [])]
    return sentences and any(part.get("type") == "ByteLevel" for part in parts)
