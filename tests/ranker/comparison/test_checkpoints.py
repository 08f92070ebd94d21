"""Checkpoints as RRec saves them: their class, their weights beside the network, nothing run."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from newsrec.engines.settings import Settings, TransformersSettings
from newsrec.errors import UserError
from newsrec.models.folders import copy_tokenizer
from newsrec.ranker.comparison.checkpoints import Checkpoint, open_checkpoint
from newsrec.ranker.comparison.reasoner import rank_lists
from tests.engines.conftest import VLLM
from tests.ranker import made_lists
from tests.ranker.values import prompt_of_default

pytestmark = pytest.mark.slow

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


@pytest.fixture(scope="module")
def stock(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2 of random weights, as transformers saves it."""
    folder = tmp_path_factory.mktemp("stock")
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=600, hidden_size=64, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=512,
        initializer_range=0.2, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)
    copy_tokenizer(tiny_model, folder)
    return folder


@pytest.fixture
def theirs(stock: Path, tmp_path: Path) -> Path:
    """The same as RRec saves it: in shards, the second of which has weights of its training."""
    folder = shutil.copytree(stock, tmp_path / "checkpoint")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    first = [name for name in weights if "layers.0" in name]
    shards: list[dict[str, Any]] = [
        {name: weights.pop(name) for name in first},
        weights | {"extra_head.weight": torch.ones(4, 64), "item_embedding.weight": torch.ones(9)},
    ]
    for name, tensors in zip(SHARDS, shards, strict=True):
        save_file(tensors, folder / name, metadata={"format": "pt"})
    places = {one: name for name, of in zip(SHARDS, shards, strict=True) for one in of}
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    configure(folder, architectures=["Qwen2RRecCasualLM"], use_cache=False)
    return folder


def configure(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def ranked(model: Path, work: Path, settings: Settings) -> tuple[np.ndarray, dict[str, Any]]:
    """Scores by an engine that writes up to four tokens about a user, and what was found."""
    work.mkdir()
    rows = made_lists.lists(4, seed=2)
    items = {row["item"]: row for row in made_lists.items()}
    scores, found = rank_lists(
        rows, items, prompt_of_default(), model, settings, work, embedding_token="<answer>",
        max_user_tokens=4, max_item_tokens=0, batch_size=8, dtype="float32",
    )  # fmt: skip
    return np.array(scores), found


def test_their_checkpoint_is_the_network_of_the_same_weights(
    theirs: Path, stock: Path, tmp_path: Path
) -> None:
    configure(theirs, auto_map={"AutoModelForCausalLM": "theirs.Qwen2RRecCasualLM"})
    (theirs / "theirs.py").write_text("raise AssertionError('was run')")
    target = tmp_path / "anew"
    found = open_checkpoint(theirs, target)
    assert found == Checkpoint(target, "Qwen2ForCausalLM", 2, True)
    config = json.loads((target / "config.json").read_text())
    assert config["architectures"] == ["Qwen2ForCausalLM"]
    assert "auto_map" not in config
    assert not (target / "theirs.py").exists()
    assert (target / SHARDS[0]).readlink() == theirs / SHARDS[0]
    assert not (target / SHARDS[1]).is_symlink()
    network, expected = map(AutoModelForCausalLM.from_pretrained, (target, stock))
    weights = dict(expected.named_parameters())
    assert all(torch.equal(one, weights[name]) for name, one in network.named_parameters())
    # Killed and run again, it is the same to an engine that goes on.
    assert open_checkpoint(theirs, target) == found


def test_a_stock_model_is_used_as_it_is(stock: Path, tmp_path: Path) -> None:
    found = open_checkpoint(stock, tmp_path / "anew")
    assert found == Checkpoint(stock, "Qwen2ForCausalLM", 0, False)
    assert not (tmp_path / "anew").exists()


def test_their_scores_are_of_embeddings_of_length_one(
    theirs: Path, stock: Path, tmp_path: Path
) -> None:
    settings = TransformersSettings("float32", 8, "cpu")
    scores, found = ranked(theirs, tmp_path / "theirs", settings)
    assert (found["architecture"], found["num_weights_left_out"]) == ("Qwen2ForCausalLM", 2)
    assert found["normalised"]
    assert np.abs(scores).max() <= 1 + 1e-6
    configure(theirs, similarity_normalization=False)
    plain, found = ranked(theirs, tmp_path / "plain", settings)
    assert not found["normalised"]
    expected, _ = ranked(stock, tmp_path / "stock", settings)
    assert np.array_equal(plain, expected)


def test_vllm_loads_it(theirs: Path, tmp_path: Path) -> None:
    found, _ = ranked(theirs, tmp_path / "vllm", VLLM)
    expected, _ = ranked(theirs, tmp_path / "here", TransformersSettings("float32", 8, "cpu"))
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"architectures": ["LlamaRRecCasualLM"]}, "['LlamaRRecCasualLM'], and model_type is"),
        ({"architectures": ["TheirRanker"]}, "is ['TheirRanker'], and model_type is"),
        (
            {"num_hidden_layers": 3, "layer_types": ["full_attention"] * 3},
            "the weights are not those of the model that config.json describes: no model.layers.2",
        ),
        ({"hidden_size": 32}, "has the shape [600, 64], expected [600, 32]"),
    ],
)  # fmt: skip
def test_what_cannot_be_mapped_is_refused_in_one_line(
    values: dict[str, Any], words: str, theirs: Path, tmp_path: Path
) -> None:
    configure(theirs, **values)
    assert_refused(theirs, tmp_path, words)


def test_weights_inside_the_network_are_not_left_out(theirs: Path, tmp_path: Path) -> None:
    path = theirs / SHARDS[1]
    name = "model.layers.1.self_attn.q_norm.weight"
    save_file(load_file(path) | {name: torch.ones(32)}, path, metadata={"format": "pt"})
    index = json.loads((theirs / "model.safetensors.index.json").read_text())
    index["weight_map"][name] = SHARDS[1]
    (theirs / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_refused(theirs, tmp_path, f"{name} is not part of it")


def test_pickled_weights_and_adapters_are_refused(theirs: Path, tmp_path: Path) -> None:
    for path in theirs.glob("model*"):
        path.unlink()
    torch.save({}, theirs / "pytorch_model.bin")
    assert_refused(theirs, tmp_path, "only safetensors weights are supported")
    (theirs / "adapter_config.json").write_text('{"base_model_name_or_path": "Qwen2.5-3B"}')
    assert_refused(theirs, tmp_path, "merge it into 'Qwen2.5-3B'")


def assert_refused(model: Path, tmp_path: Path, words: str) -> None:
    with pytest.raises(UserError) as refused:
        open_checkpoint(model, tmp_path / "anew")
    said = str(refused.value)
    assert said.startswith(str(model))
    assert words in said
    assert "compare.reasoner" in said
    assert "fetch_model" not in said
    assert "\n" not in said
