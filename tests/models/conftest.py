"""A model's folder to be changed."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))
