"""Weights for tests that need a folder of a model and no model."""

from pathlib import Path

import torch
from safetensors.torch import save_file


def write_weights(folder: Path) -> None:
    """Make `folder` and write the weights of two layers into it, and a configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    layers = {f"model.{name}.weight": torch.zeros(1, 1) for name in ("q_proj", "v_proj")}
    save_file(layers, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text("{}")
