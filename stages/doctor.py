"""Compare what the chosen configuration needs with this machine, before hours are spent.

Reads   params: all; requirements*.txt, config.json of a local model, DVC's configuration and status
Writes  nothing
Run     make doctor      (alone: python -m stages.doctor)

No stage of dvc.yaml: its answer changes no output. The long stages call `check_machine` themselves.
"""

import sys
from pathlib import Path
from typing import Literal

from newsrec.errors import UserError, run_stage
from newsrec.params import Params, load_params
from newsrec.preflight import machine
from newsrec.preflight.checks import Finding
from stages._examine import Step, examine

Stage = Literal["fetch_model", "train", "score"]

RAW = Path("data/raw")


def main() -> None:
    params = load_params()
    findings = list(examine(params, _steps_left()))
    _print_table(findings)
    problems = [one for one in findings if one.level == "problem"]
    warnings = [one for one in findings if one.level == "warning"]
    for one in warnings:
        print(f"warning: {one.line}")
    for one in problems:
        print(f"problem: {one.line}")
    if problems:
        raise UserError(f"{len(problems)} of {len(findings)} checks stand in the way, see above")
    print(f"doctor: warnings: {len(warnings)}" if warnings else "doctor: nothing stands in the way")


def check_machine(params: Params, first_stage: Stage) -> None:
    """Check the machine for what lies ahead from `first_stage`; silent when all is well.

    Warnings go to stderr.

    Raises:
        UserError: something cannot work; tells what to change.
    """
    steps: set[Step] = {"score"}
    if first_stage != "score":
        steps |= {"train", "merge"}
    if first_stage == "fetch_model":
        steps |= {"model"} if RAW.exists() else {"model", "data"}
    findings = list(examine(params, steps))
    for one in findings:
        if one.level == "warning":
            print(f"{first_stage}: warning: {one.line}", file=sys.stderr)
    if problems := [one for one in findings if one.level == "problem"]:
        raise UserError(_told(problems))


def _steps_left() -> set[Step]:
    """What `dvc repro` would still do; everything where DVC cannot tell."""
    stale = machine.stale_stages()
    if stale is None:
        return {"model", "data", "train", "merge", "score"}
    steps: set[Step] = set()
    if "fetch_model" in stale:
        steps |= {"model", "train"}
    if "fetch_mind" in stale:
        steps |= {"data", "train"}
    if {"preprocess", "train"} & stale:
        steps |= {"train"}
    if "train" in steps or "merge" in stale:
        steps |= {"merge", "score"}
    if {"score@base", "score@tuned"} & stale:
        steps |= {"score"}
    return steps


def _told(problems: list[Finding]) -> str:
    return " | ".join(one.line for one in problems)


def _print_table(findings: list[Finding]) -> None:
    header = ("what", "needed", "found", "verdict")
    rows = [header, *((one.what, one.needed, one.found, one.level) for one in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        print(
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )


if __name__ == "__main__":
    run_stage(main)
