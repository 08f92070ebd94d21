"""Compare the figures of two commits, if they were measured alike."""

import json
import subprocess
from pathlib import Path
from typing import Any

from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.protocol import TREATMENT, require_same

SOURCE = Path("metrics/evaluate.json")
KEYS = ("auc", "mrr", "ndcg_at_10", "accuracy")


def compare(one: str, other: str | None) -> str:
    """A Markdown table of the tuned model in two commits; None is the files here.

    Raises:
        UserError: a commit or its figures are missing, or their protocols differ in more than the
            treatment.
    """
    names = (one, other or "the files here")
    figures = _at(one), read_json(SOURCE) if other is None else _at(other)
    return table(*figures, names)


def table(one: dict[str, Any], other: dict[str, Any], names: tuple[str, str]) -> str:
    """Both tuned models with intervals, and what distinguishes the two runs.

    Raises:
        UserError: their protocols differ in more than the treatment.
    """
    require_same(one["protocol"], other["protocol"], names)
    lines = [f"| tuned | {names[0]} | {names[1]} | change |", "|:--|--:|--:|--:|"]
    for key in KEYS:
        if key in one["tuned"] and key in other["tuned"]:
            before, after = one["tuned"][key], other["tuned"][key]
            cells = [
                f"{found['tuned'][key]:.4f} ({found['tuned'][f'{key}_low']:.4f} to "
                f"{found['tuned'][f'{key}_high']:.4f})"
                for found in (one, other)
            ]
            lines.append(f"| {key} | {cells[0]} | {cells[1]} | {after - before:+.4f} |")
    changed = [
        f"{name}: {one['protocol'].get(name)} → {other['protocol'].get(name)}"
        for name in TREATMENT
        if one["protocol"].get(name) != other["protocol"].get(name)
    ]
    return "\n".join([*lines, "", *changed])


def _at(commit: str) -> dict[str, Any]:
    shown = subprocess.run(
        ["git", "show", f"{commit}:./{SOURCE}"], capture_output=True, text=True, check=False
    )
    if shown.returncode != 0:
        raise UserError(
            f"{commit}: no {SOURCE} in this commit; expected one whose metrics are committed"
        )
    values: dict[str, Any] = json.loads(shown.stdout)
    if "protocol" not in values:
        raise UserError(f"{commit}: its {SOURCE} names no protocol; it cannot be compared")
    return values
