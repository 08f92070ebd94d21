"""Compare the figures of two commits, if they were measured alike.

python -m newsrec.compare HEAD~1          that commit against the files here
python -m newsrec.compare main my-branch  the one against the other
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from newsrec.errors import UserError, run_stage
from newsrec.files import read_json
from newsrec.protocol import TREATMENT, require_same

SOURCE = Path("metrics/evaluate.json")
KEYS = ("auc", "mrr", "ndcg_at_10", "accuracy")


def main() -> None:
    """Print a table of the tuned model in both, or refuse and say which field differs."""
    if len(sys.argv) not in (2, 3):
        raise UserError("expected: python -m newsrec.compare COMMIT [COMMIT], like HEAD~1")
    names = (sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "the files here")
    one = _at(sys.argv[1])
    other = _at(sys.argv[2]) if len(sys.argv) == 3 else read_json(SOURCE)
    print(table(one, other, names))


def table(one: dict[str, Any], other: dict[str, Any], names: tuple[str, str]) -> str:
    """A Markdown table of both tuned models with intervals, and what sets the two apart.

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
        ["git", "show", f"{commit}:{SOURCE}"], capture_output=True, text=True, check=False
    )
    if shown.returncode != 0:
        raise UserError(
            f"{commit}: no {SOURCE} in this commit; expected one whose metrics are committed"
        )
    values: dict[str, Any] = json.loads(shown.stdout)
    if "protocol" not in values:
        raise UserError(f"{commit}: its {SOURCE} names no protocol; it cannot be compared")
    return values


if __name__ == "__main__":
    run_stage(main)
