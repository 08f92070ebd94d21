"""Experiment trackers for a training: TensorBoard, Weights & Biases, MLflow or SwanLab.

The Hugging Face Trainer has a callback for each; each is configured by its own variables.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Tracker = Literal["none", "tensorboard", "wandb", "mlflow", "swanlab"]

# Outside the run's own folder, which is deleted when the training has ended.
TENSORBOARD = Path("runs")


def tracker_arguments(tracker: Tracker, method: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Further arguments that the Hugging Face Trainer needs for a tracker, by its own names.

    TensorBoard gets a folder named after the settings: a resumed run continues in it, and a run
    with other settings is a separate curve.
    """
    if tracker != "tensorboard":
        return {}
    text = json.dumps({"method": method, **settings}, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"{method}-lr{settings['lr']:g}-seed{settings['seed']}-{digest}"
    return {"logging_dir": str(TENSORBOARD / name)}


def tracker_environment(tracker: Tracker) -> dict[str, str]:
    """The variables of `processes.QUIET_AND_OFFLINE` that the chosen tracker overrides."""
    if tracker != "wandb":
        return {}
    return {"WANDB_MODE": os.environ.get("WANDB_MODE", "online")}
