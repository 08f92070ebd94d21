"""What the page of the assistant is made of."""

from copy import deepcopy
from functools import cache
from typing import Any

import pandas as pd
import pytest

from tests.assistant.report import made_up

LOSS = pd.DataFrame({"step": [1, 2], "loss": [1.5, 0.5]})


@cache
def _computed() -> dict[str, Any]:
    rows = made_up.rows()
    said, metrics = made_up.predictions(rows), made_up.metrics()
    return {
        "tasks": made_up.TASKS,
        "metrics": metrics,
        "slices": made_up.slices(metrics),
        "confusion": made_up.confusion(rows, said),
        "stages": made_up.stages(),
        "timings": made_up.timings(),
        "answers": made_up.answered(rows, said),
        "train_loss": LOSS,
        "val_loss": LOSS,
        "val_loss_parts": pd.DataFrame({"step": [1, 2], "kind": [1.25, 0.75], "answer": [2, 1.5]}),
        "num_examples": 3,
        "num_mistakes": 2,
    }


@pytest.fixture
def drawn() -> dict[str, Any]:
    """What `render` takes; a test may change it."""
    return deepcopy(_computed())


@pytest.fixture
def given(drawn: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The same; figures are not drawn."""
    for module in ("curves", "figures"):
        name = f"newsrec.report.{module}.inline_svg"
        monkeypatch.setattr(name, lambda *_, **__: "<svg></svg>")
    return drawn
