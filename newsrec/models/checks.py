"""Whether a folder holds a model that can be used, read from its headers alone."""

import json
import math
from collections import Counter
from pathlib import Path

from safetensors import SafetensorError, safe_open

from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.models.heads import ARCHITECTURE_SUFFIX, Head, known_architectures


def check_model(folder: Path, head: Head = "causal-lm") -> dict[str, int | str]:
    """Check that `folder` holds a whole model with this head, without loading its weights.

    A language model must have a chat template.

    Returns its "architecture", "num_parameters" and the "dtype" most of them have (as safetensors
    writes it).

    Raises:
        UserError: a file is missing or broken, or the model is of a kind that is not supported.
    """
    architecture = _check_config(_present(folder, "config.json"), head)
    _check_tokenizer(folder)
    if head == "causal-lm":
        _check_chat_template(folder)
    elements: Counter[str] = Counter()
    headers = []
    for path, expected in _weight_files(folder).items():
        header = _read_header(path)
        absent = sorted(expected - header.keys())
        if absent:
            raise UserError(
                f"{path}: lacks {len(absent)} tensors of the index, such as {absent[0]}; the index "
                "and this file are of different models: delete both and download again"
            )
        headers.append(header)
        for dtype, count in header.values():
            elements[dtype] += count
    return {
        "architecture": architecture,
        "num_parameters": sum(_count(header, _is_tied(folder)) for header in headers),
        "dtype": elements.most_common(1)[0][0],
    }


def count_parameters(folder: Path) -> int:
    """The number of parameters of the model in `folder`, from the headers of its safetensors files.

    A head that is the embeddings (tie_word_embeddings) counts once, even if it is stored twice.
    """
    headers = [_read_header(path) for path in sorted(folder.glob("*.safetensors"))]
    return sum(_count(header, _is_tied(folder)) for header in headers)


def _is_tied(folder: Path) -> bool:
    return bool(read_json(folder / "config.json").get("tie_word_embeddings", False))


def _count(header: dict[str, tuple[str, int]], tied: bool) -> int:
    return sum(
        count for name, (_, count) in header.items() if not (tied and name == "lm_head.weight")
    )


def _present(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise UserError(
            f"{folder / name}: no such file, but a model needs it; complete the folder, or choose "
            "another fetch_model.name"
        )
    return folder / name


def _check_config(path: Path, head: Head) -> str:
    config = read_json(path)
    listed = config.get("architectures") or []
    suffix = ARCHITECTURE_SUFFIX[head]
    fitting = [str(name) for name in listed if str(name).endswith(suffix)]
    if not fitting:
        raise UserError(
            f"{path}: architectures is {json.dumps(listed)}; expected one *{suffix}: choose such "
            "a model as fetch_model.name"
        )
    from transformers import __version__

    if fitting[0] not in known_architectures(head):
        brought = "; it brings its own code (auto_map)" if "auto_map" in config else ""
        raise UserError(
            f"{path}: transformers {__version__} has no {fitting[0]}{brought}, and code of a "
            "model is never run (trust_remote_code stays off): choose another fetch_model.name"
        )
    return fitting[0]


def _check_tokenizer(folder: Path) -> None:
    _present(folder, "tokenizer_config.json")
    kinds = [["tokenizer.json"], ["tokenizer.model"], ["vocab.json", "merges.txt"]]
    if not any(all((folder / name).is_file() for name in kind) for kind in kinds):
        raise UserError(
            f"{folder}: no tokenizer; expected tokenizer.json, tokenizer.model, or vocab.json and "
            "merges.txt: choose another fetch_model.name"
        )


def _check_chat_template(folder: Path) -> None:
    settings = read_json(folder / "tokenizer_config.json")
    if not settings.get("chat_template") and not (folder / "chat_template.jinja").is_file():
        raise UserError(
            f"{folder}: no chat template in tokenizer_config.json and no chat_template.jinja; "
            "choose a model that is trained to chat (often named Instruct) as fetch_model.name"
        )


def _weight_files(folder: Path) -> dict[Path, set[str]]:
    """The files that hold the weights, each with the tensors that the index expects in it."""
    if (folder / "model.safetensors").is_file():
        return {folder / "model.safetensors": set()}
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        raise UserError(
            f"{folder}: no model.safetensors and no {index.name}; only safetensors weights are "
            "supported: choose another fetch_model.name, or convert the weights"
        )
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise UserError(f"{index}: no weight_map; delete the file and download it again")
    shards: dict[Path, set[str]] = {}
    for tensor, name in places.items():
        if Path(str(name)).name != name:
            raise UserError(f"{index}: {name!r} is no file name; choose another fetch_model.name")
        shards.setdefault(folder / name, set()).add(tensor)
    for path in shards:
        _present(folder, path.name)
    return shards


def _read_header(path: Path) -> dict[str, tuple[str, int]]:
    """Data type and number of elements of each tensor; a file cut short is found here."""
    try:
        with safe_open(path, framework="np") as weights:
            parts = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            header = {n: (p.get_dtype(), math.prod(p.get_shape())) for n, p in parts.items()}
    except SafetensorError as error:
        raise UserError(
            f"{path}: broken safetensors file ({error}); delete it and download it again"
        ) from error
    if not header:
        raise UserError(f"{path}: holds no tensors; delete it and download it again")
    return header
