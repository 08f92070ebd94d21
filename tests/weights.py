"""Weights for tests that need a folder of a model and no model."""

from pathlib import Path

import torch
from safetensors.torch import save_file


def write_weights(folder: Path) -> None:
    """Make `folder` and write one weight into it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weight": torch.zeros(1)}, folder / "model.safetensors", metadata={"format": "pt"})
