"""What a training reports to while it runs: TensorBoard, Weights & Biases, MLflow or SwanLab.

The Hugging Face Trainer has a callback for each; every one is configured by variables of its own.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Tracker = Literal["none", "tensorboard", "wandb", "mlflow", "swanlab"]

# Beside the run's own folder, which is dropped when the training has ended.
TENSORBOARD = Path("runs")


def tracker_arguments(tracker: Tracker, method: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """What the Hugging Face Trainer needs beside `report_to`, under its own names.

    TensorBoard gets a folder named after the settings: a resumed run goes on in it, and another one
    is a line of its own.
    """
    if tracker != "tensorboard":
        return {}
    text = json.dumps({"method": method, **settings}, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"{method}-lr{settings['lr']:g}-seed{settings['seed']}-{digest}"
    return {"logging_dir": str(TENSORBOARD / name)}


def tracker_environment(tracker: Tracker) -> dict[str, str]:
    """The switches of `processes.QUIET_AND_OFFLINE` that yield to a tracker that was asked for."""
    if tracker != "wandb":
        return {}
    return {"WANDB_MODE": os.environ.get("WANDB_MODE", "online")}
