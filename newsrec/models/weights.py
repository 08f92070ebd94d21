"""Read and check the headers of a model's safetensors files."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from newsrec.errors import UserError
from newsrec.files import read_json, require_model_folder

ANOTHER_MODEL = "choose another model (fetch_model.name, or fetch_model.path of a local one)"

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"

_FLOATS = ("F32", "F16", "BF16")


class Tensor(NamedTuple):
    """A tensor as described in the header of its file."""

    dtype: str  # safetensors' name of it
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


Header = dict[str, Tensor]


def present(folder: Path, name: str) -> Path:
    """The path of a file that a model needs.

    Raises:
        UserError: it does not exist.
    """
    path = folder / name
    if path.is_symlink() and not path.exists():
        raise UserError(
            f"{path}: a link to {path.readlink()}, which does not exist; download the model again"
        )
    if not path.is_file():
        raise UserError(
            f"{path}: no such file, but a model needs it; add it to the folder, or {ANOTHER_MODEL}"
        )
    return path


def weight_files(folder: Path) -> dict[Path, set[str]]:
    """The weights files, each with the tensors that the index expects in it.

    Raises:
        UserError: there are none, or two sets of them, of which transformers would read
            model.safetensors and vLLM the shards.
    """
    require_model_folder(folder)
    single, index = folder / SINGLE, folder / INDEX
    if not index.exists():
        if single.exists() or single.is_symlink():
            return {present(folder, SINGLE): set()}
        raise UserError(_no_weights(folder))
    shards = _placed(index)
    if single.exists() and set(shards) != {single}:
        there = sorted(path.name for path in shards if path.exists())
        if there:
            raise UserError(
                f"{folder}: the weights are stored twice, in {SINGLE} and, according to {INDEX}, "
                f"in {there[0]}: transformers reads the first, vLLM the others; delete the "
                "outdated files (for a model from a hub: in your own copy, with "
                "fetch_model.source: local)"
            )
        # The index is left from an earlier save; its shards are gone, so nothing reads it.
        return {single: set()}
    for path in shards:
        present(folder, path.name)
    return shards


def read_weights(folder: Path) -> dict[Path, Header]:
    """The headers of the weights files.

    Raises:
        UserError: see `weight_files`; or a file is damaged, or does not match the index.
    """
    headers: dict[Path, Header] = {}
    for path, expected in weight_files(folder).items():
        header = read_header(path)
        if absent := sorted(expected - header.keys()):
            raise UserError(
                f"{path}: lacks {len(absent)} tensors of the index, such as {absent[0]}; the index "
                "and this file belong to different models: delete both and download them again"
            )
        if expected and (surplus := sorted(header.keys() - expected)):
            raise UserError(
                f"{path}: contains {surplus[0]}, which {INDEX} does not assign to this file, so "
                "libraries differ in what they load; delete both and download them again"
            )
        headers[path] = header
    return headers


def check_whole(folder: Path) -> None:
    """Check that no safetensors file in a folder of trained weights is truncated.

    Raises:
        UserError: a file is truncated or damaged.
    """
    for path in sorted(folder.glob("*.safetensors")):
        read_header(path)


def num_classes(adapter: Path) -> int:
    """The number of classes of the head in an adapter, which is the number of its weight's rows.

    Raises:
        UserError: the adapter is damaged, or has no head.
    """
    path = adapter / "adapter_model.safetensors"
    heads = [one for name, one in read_header(path).items() if name.endswith(".score.weight")]
    if not heads:
        raise UserError(
            f"{path}: no score.weight, the head of a classifier; expected an adapter that "
            "was trained as a classifier; train it again (dvc repro train)"
        )
    return heads[0].shape[0]


def copy_weights(source: Path, target: Path, move: bool = False) -> None:
    """Copy the weights files and their index from `source` to `target`.

    Args:
        source: folder of a model.
        target: an existing folder.
        move: move them instead, so that the disk does not need space for two large models.
    """
    take = shutil.move if move else shutil.copyfile
    files = weight_files(source)
    if any(files.values()):
        shutil.copyfile(source / INDEX, target / INDEX)
    for path in files:
        take(path, target / path.name)


def read_header(path: Path) -> Header:
    """The dtype and shape of each tensor; this also detects a truncated file.

    Raises:
        UserError: the file is damaged or empty.
    """
    try:
        with safe_open(path, framework="np") as weights:
            kind = (weights.metadata() or {"format": "pt"}).get("format")
            parts = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            header = {n: Tensor(p.get_dtype(), tuple(p.get_shape())) for n, p in parts.items()}
    except SafetensorError as error:
        raise UserError(
            f"{path}: broken safetensors file ({error}); delete it and download it again, "
            "or, if a stage wrote it, run dvc repro"
        ) from error
    if kind not in ("pt", "mlx"):
        raise UserError(
            f"{path}: its metadata has the format {kind!r}, expected 'pt', without which "
            "transformers does not load it; load the tensors with safetensors.torch.load_file and "
            "write them with save_file(..., metadata={'format': 'pt'})"
        )
    if not header:
        raise UserError(f"{path}: contains no tensors; delete it and download it again")
    return header


def check_precision(path: Path, name: str, tensor: Tensor) -> None:
    """Check that a weight can be trained and merged.

    Raises:
        UserError: it is quantised, or the engines do not support its precision.
    """
    if tensor.dtype in _FLOATS:
        return
    remedy = f"a quantised model cannot be trained and merged: {ANOTHER_MODEL}, the original one"
    if tensor.dtype == "F64":
        remedy = "load the model with dtype=torch.float32 and save it again"
    raise UserError(
        f"{path}: {name} is {tensor.dtype}, expected one of {', '.join(_FLOATS)}; {remedy}"
    )


def check_tied(headers: Mapping[Path, Header], head: str, embeddings: str) -> None:
    """Check that a tied head that is stored anyway equals the embeddings.

    Args:
        headers: the headers of a model with tie_word_embeddings.
        head: the name of the head's weight.
        embeddings: the name of the embeddings' weight.

    Raises:
        UserError: the tensors differ, so that the result would depend on the library.
    """
    places = {name: path for path, header in headers.items() for name in header}
    if head not in places or embeddings not in places:
        return
    with (
        safe_open(places[head], framework="pt") as one,
        safe_open(places[embeddings], framework="pt") as other,
    ):
        stored, tied = one.get_slice(head), other.get_slice(embeddings)
        rows = tied.get_shape()[0]
        same = stored.get_shape() == tied.get_shape() and all(
            bool((stored[start : start + 4096] == tied[start : start + 4096]).all())
            for start in range(0, rows, 4096)
        )
    if not same:
        raise UserError(
            f"{places[head]}: {head} differs from {embeddings}, although config.json has "
            "tie_word_embeddings: true, with which it is not read; set this to false in a copy of "
            "the model (fetch_model.source: local) if the head was trained, or remove the tensor"
        )


def _placed(index: Path) -> dict[Path, set[str]]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise UserError(f"{index}: no weight_map; delete the file and download it again")
    shards: dict[Path, set[str]] = {}
    for tensor, name in places.items():
        if not isinstance(name, str) or Path(name).name != name:
            raise UserError(f"{index}: {name!r} is not a file name; {ANOTHER_MODEL}")
        if not name.endswith(".safetensors"):
            raise UserError(
                f"{index}: refers to {name}; expected safetensors files: delete it and download it "
                "again"
            )
        shards.setdefault(index.parent / name, set()).add(tensor)
    return shards


def _no_weights(folder: Path) -> str:
    others = (".bin", ".pth", ".pt", ".gguf", ".onnx", ".h5", ".msgpack", ".safetensors")
    found = sorted(path.name for path in folder.iterdir() if path.suffix in others)
    there = f" (found {', '.join(found[:3])})" if found else ""
    remedy = "convert the weights (load the model with transformers and save it again)"
    return (
        f"{folder}: no {SINGLE} and no {INDEX}{there}; only safetensors weights are supported: "
        f"{ANOTHER_MODEL}, or {remedy}"
    )
