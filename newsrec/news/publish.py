"""Publish the tuned model: its folder with the figures in its card, where every gate holds."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult

from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.news.card import task_card
from newsrec.news.promote import evidence
from newsrec.news.report.summary import summary_markdown
from newsrec.news.report.verdict import METRIC_NAMES, Metrics
from newsrec.report.card import Figures, Measured, model_card
from newsrec.report.text import printable, score
from newsrec.sharing.folder import prepare_folder
from newsrec.sharing.gates import checked_engine, checked_merge, committed_run, not_tiny
from newsrec.sharing.upload import upload_huggingface

METRICS = Path("metrics")
MODEL, BASE, ADAPTER = Path("models/merged"), Path("models/base"), Path("models/adapter")
PREPARED = Path(".work/publish")
# The stages of metrics/provenance.json that computed the tuned model and its figures.
_STAGES = {"train": "training", "score_tuned": "scoring", "report": "report"}


def publish(destination: str | None) -> str:
    """Prepare the folder of the tuned model, and upload it if a destination is named.

    Args:
        destination: owner/name on the Hugging Face hub; None: prepare and check alone.

    Returns:
        Where the model is now.

    Raises:
        UserError: a gate does not hold (each is named, with what to do), the folder holds more than
            a model, or the hub does not take it. Nothing is uploaded then.
    """
    shutil.rmtree(PREPARED, ignore_errors=True)  # of an earlier commit
    if failed := list(committed_run()):  # else the files below are not to be trusted
        raise _refused(failed)
    names = ("evaluate", "baselines", "fetch_model", "merge", "check_engine_tuned", "provenance")
    found = {name: read_json(METRICS / f"{name}.json") for name in names}
    evaluated, base = found["evaluate"], found["fetch_model"]
    probe = found["baselines"]["leak_probe"]
    failed = [
        *not_tiny(base),
        *checked_merge(found["merge"], evaluated["protocol"]),
        *checked_engine(found["check_engine_tuned"]),
        *evidence(evaluated, probe),
    ]
    if failed:
        raise _refused(failed)
    protocol = read_json(ADAPTER / "protocol.json")
    settings = yaml.safe_load((ADAPTER / "train.yaml").read_text(encoding="utf-8"))
    measured = Measured(
        summary_markdown(evaluated, base, probe),
        _results(evaluated),
        _provenance(found["provenance"]),
    )
    card = model_card(task_card(protocol), base, protocol, settings, measured=measured)
    files = prepare_folder(MODEL, BASE, card, PREPARED)
    ready = f"{PREPARED}: {len(files)} files, checked: {', '.join(files)}"
    if destination is None:
        return f"{ready}\nnothing was uploaded; to upload it: make publish TO=owner/name"
    digest = printable(protocol["model"])
    address = upload_huggingface(PREPARED, destination, f"{digest}, {protocol['method']}")
    return f"{ready}\nuploaded: {address}"


def _refused(failed: list[str]) -> UserError:
    return UserError(f"not published: {' | '.join(failed)}")


def _results(metrics: Metrics) -> list[EvalResult]:
    """The tuned model's figures for the hub's table, with their intervals in the name."""
    tuned, protocol = metrics["tuned"], metrics["protocol"]
    return [
        EvalResult(
            task_type="text-ranking",
            task_name="News recommendation",
            dataset_type="mind",
            dataset_name=printable(protocol["data"]),
            dataset_split="test",
            metric_type=key,
            metric_value=round(tuned[key], 4),
            metric_name=(
                f"{name} (95 % interval {score(tuned[f'{key}_low'])} to "
                f"{score(tuned[f'{key}_high'])})"
            ),
        )
        for key, name in METRIC_NAMES.items()
        if key in tuned
    ]


def _provenance(found: Mapping[str, Any]) -> Figures:
    rows: list[tuple[str, object]] = []
    for stage, words in _STAGES.items():
        one = found[stage]
        changed = ", with uncommitted changes" if one["uncommitted_changes"] else ""
        versions = (f"{name} {version}" for name, version in one["packages"].items())
        rows += [
            (f"{words}: commit", f"{one['commit']}{changed}"),
            (f"{words}: on", ", ".join([*one["gpus"], one["cpu"]])),
            (f"{words}: with", ", ".join([f"Python {one['python']}", *versions])),
        ]
    seeds = (f"{name} {seed}" for name, seed in found["seeds"].items())
    return [*rows, ("seeds", ", ".join(seeds))]
