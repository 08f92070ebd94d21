"""The card of a model: read back as the hub reads it, the same every time, hostile names inert."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import EvalResult, ModelCard

from newsrec.report.card import NOT_MEASURED, Measured, TaskCard, model_card
from newsrec.report.text import tiny_notice
from tests import ROOT
from tests.report.reading import HOSTILE

TASK = TaskCard(
    title="A model of colours",
    purpose="Names a colour.",
    data="Colours, made up.",
    licence="The data are free.",
    limits=["Knows three colours."],
    datasets=["someone/colours"],
    tags=["colours"],
)
BASE = {"source": "huggingface", "name": "Qwen/Qwen3-8B", "num_parameters": 8, "digest": "abc"}
PROTOCOL = {"data": "made up", "method": "lora", "train_seed": "42"}
SETTINGS = {"learning_rate": 5e-5, "seed": 42, "output_dir": ".work/train", "report_to": "wandb"}
RESULT = EvalResult(
    task_type="text-ranking",
    dataset_type="someone/colours",
    dataset_name="Colours",
    metric_type="auc",
    metric_value=0.6705,
    metric_name="AUC (95 % interval 0.636 to 0.702)",
)
MEASURED = Measured("Better than its base.", [RESULT], [("commit", "1234567")])


def card(measured: Measured | None = None, **changes: Any) -> ModelCard:
    """The card as a reader of the hub parses it."""
    arguments = {"task": TASK, "base": BASE, "protocol": PROTOCOL, "settings": SETTINGS}
    return ModelCard(model_card(**arguments | changes, measured=measured))


def test_a_card_says_what_is_known_when_the_model_is_written() -> None:
    found = card()
    assert (found.data.base_model, found.data.datasets) == ("Qwen/Qwen3-8B", ["someone/colours"])
    assert found.data.library_name == "transformers"
    assert found.data.eval_results is None
    for words in (NOT_MEASURED, "Knows three colours.", "The data are free.", "`5e-05`", "`lora`"):
        assert words in found.text
    assert "Provenance" not in found.text


def test_no_folder_and_no_tracker_of_the_training_is_in_it() -> None:
    assert not {".work", "wandb"} & set(str(card()).replace("`", " ").split())


def test_a_published_card_has_the_figures_where_the_hub_looks_for_them() -> None:
    found = card(MEASURED)
    (result,) = found.data.eval_results
    assert (result.metric_type, result.metric_value) == ("auc", 0.6705)
    assert result.metric_name == RESULT.metric_name
    assert "Better than its base." in found.text
    assert "| commit | `1234567` |" in found.text
    assert NOT_MEASURED not in found.text


def test_a_card_of_the_tiny_model_says_what_the_report_says() -> None:
    tiny = {**BASE, "source": "tiny", "name": "tiny"}
    assert f"> **Tiny model.** {tiny_notice(tiny)}" in card(base=tiny).text
    assert "Tiny model" not in card().text


@pytest.mark.parametrize("source", ["tiny", "local", "modelscope"])
def test_a_base_that_is_not_on_the_hub_is_not_linked_there(source: str) -> None:
    found = card(base={**BASE, "source": source})
    assert found.data.base_model is None


@pytest.mark.parametrize("name", [HOSTILE, "a\n---\nlicense: mit\n", "](http://x) ![](y)", "&#60;"])
def test_a_hostile_name_is_neither_mark_up_nor_metadata(name: str) -> None:
    found = card(
        MEASURED,
        base={**BASE, "source": "local", "name": name},
        protocol={**PROTOCOL, "data": name, "method": name},
        settings={"lora_target": name},
    )
    assert found.data.license == "other"
    assert found.text.count("\n---\n") == 0
    # Outside code spans, of whose content nothing is mark-up, there is no sign of it.
    outside = "".join(found.text.split("`")[::2])
    for sign in ("<script", "alert(", "](http", "![", "&#60;<", "license: mit"):
        assert sign not in outside


@pytest.mark.slow  # three processes
def test_equal_input_gives_equal_bytes_in_any_process() -> None:
    code = (
        "from tests.report.test_card import *; "
        "print(card(MEASURED, settings={**SETTINGS, 'lora_rank': 8}))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**env, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(shown) == 1
    assert str(Path.home()).encode() not in shown.pop()
