"""Small MIND folders and models that many tests use."""

import os
from pathlib import Path

import pytest

from newsrec.news.mind.sources import split_folders
from newsrec.news.mind.synthetic import write_synthetic

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
