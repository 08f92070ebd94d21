"""Of the weights in a folder, those are copied that every library loads, or none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from newsrec.errors import UserError
from newsrec.models.weights import copy_weights, read_weights

SINGLE = "model.safetensors"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEX = "model.safetensors.index.json"


def tensors(*names: str) -> dict[str, np.ndarray]:
    return {name: np.ones((2, 3), dtype=np.float32) for name in names}


def write_index(folder: Path, places: dict[str, str]) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    save_file(tensors("a"), folder / SHARDS[0])
    save_file(tensors("b"), folder / SHARDS[1])
    write_index(folder, {"a": SHARDS[0], "b": SHARDS[1]})
    return folder


def copied(folder: Path, move: bool = False) -> set[str]:
    target = folder.with_name("copy")
    target.mkdir()
    copy_weights(folder, target, move)
    return {path.name for path in target.iterdir()}


def reported(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def test_a_file_beside_shards_of_an_index_is_refused(sharded: Path) -> None:
    save_file(tensors("a", "b"), sharded / SINGLE)  # transformers reads it, vLLM the shards
    message = reported(lambda: read_weights(sharded))
    assert "the weights are stored twice" in message
    assert "delete the outdated files" in message
    (sharded / SHARDS[0]).unlink()
    assert "the weights are stored twice" in reported(lambda: read_weights(sharded))


def test_each_half_of_that_remedy_works(sharded: Path) -> None:
    save_file(tensors("a", "b"), sharded / SINGLE)
    (sharded / SINGLE).unlink()
    assert len(read_weights(sharded)) == 2
    save_file(tensors("a", "b"), sharded / SINGLE)
    for name in SHARDS:
        (sharded / name).unlink()
    assert set(read_weights(sharded)) == {sharded / SINGLE}


def test_an_index_without_its_shards_is_left_behind(sharded: Path) -> None:
    save_file(tensors("a", "b"), sharded / SINGLE)
    for name in SHARDS:
        (sharded / name).unlink()
    assert copied(sharded) == {SINGLE}  # with the index, vLLM would find no weights


def test_an_index_of_one_file_is_copied_with_it(sharded: Path) -> None:
    save_file(tensors("a", "b"), sharded / SINGLE)
    write_index(sharded, {"a": SINGLE, "b": SINGLE})
    assert copied(sharded) == {SINGLE, INDEX}


def test_only_the_shards_of_the_index_are_copied(sharded: Path) -> None:
    for name in ("model-00003-of-00003.safetensors", "adapter_model.safetensors"):
        save_file(tensors("c"), sharded / name)
    for name in ("pytorch_model.bin", "model.onnx", "model.gguf", "consolidated.00.pth"):
        (sharded / name).write_bytes(b"the same once more")
    for name in ("pytorch_model.bin.index.json", "model.fp16.safetensors.index.json"):
        (sharded / name).write_text("{}")
    assert copied(sharded) == {INDEX, *SHARDS}
    assert (sharded / SHARDS[0]).exists()


def test_weights_that_were_downloaded_are_moved(sharded: Path) -> None:
    assert copied(sharded, move=True) == {INDEX, *SHARDS}
    assert not (sharded / SHARDS[0]).exists()


def test_a_tensor_in_a_shard_that_the_index_does_not_place_there_is_refused(sharded: Path) -> None:
    save_file(tensors("a", "b"), sharded / SHARDS[0])
    assert "contains b, which" in reported(lambda: read_weights(sharded))


def test_an_index_of_other_files_than_safetensors_is_refused(sharded: Path) -> None:
    write_index(sharded, {"a": "pytorch_model.bin"})
    assert "expected safetensors files" in reported(lambda: read_weights(sharded))


def test_a_link_to_a_file_that_is_gone_is_reported_as_one(sharded: Path) -> None:
    (sharded / SHARDS[1]).unlink()
    (sharded / SHARDS[1]).symlink_to("../blobs/gone")
    assert "a link to ../blobs/gone" in reported(lambda: read_weights(sharded))


@pytest.mark.parametrize("name", ["model.gguf", "pytorch_model.bin", "model.fp16.safetensors"])
def test_weights_of_other_formats_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"weights")
    message = reported(lambda: read_weights(tmp_path))
    assert f"(found {name})" in message
    assert "save it again" in message


@pytest.mark.parametrize("metadata", [{"format": "flax"}, {"made by": "hand"}])
def test_a_file_that_transformers_does_not_load_is_refused(metadata: dict, tmp_path: Path) -> None:
    save_file(tensors("a"), tmp_path / SINGLE, metadata)
    assert "expected 'pt'" in reported(lambda: read_weights(tmp_path))
    save_file(tensors("a"), tmp_path / SINGLE, {"format": "pt"})  # the remedy
    read_weights(tmp_path)
