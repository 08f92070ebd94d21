"""Compare the requirements of the configuration with this machine, before a long run starts."""

import sys
from collections.abc import Mapping
from typing import Literal, get_args

from newsrec.errors import UserError
from newsrec.params.sections import SharedParams
from newsrec.preflight import machine
from newsrec.preflight.dvc_files import damaged_files, missing_dependencies
from newsrec.preflight.examine import DataNeeds, Finding, Step, examine

Stage = Literal["fetch_model", "train", "score"]


def report(
    params: SharedParams,
    data: DataNeeds | None,
    data_stages: set[str],
    of_stages: Mapping[str, Finding] | None = None,
) -> None:
    """Print the requirements of `dvc repro`, and what this machine has.

    Args:
        params: the parameters of the pipeline.
        data: the requirements of `data_stages`.
        data_stages: the stages that fetch or generate the data.
        of_stages: the findings of other stages, by name; all of them come after scoring.

    Raises:
        UserError: at least one check found a problem.
    """
    stale = machine.stale_stages()
    steps = _steps({"fetch_model", *data_stages} if stale is None else stale, data_stages)
    findings = [Finding(*one, problem=True) for one in damaged_files()]
    findings += [Finding(*one, problem=True) for one in missing_dependencies()]
    if steps:
        findings += examine(params, steps, data if "data" in steps else None)
    findings += [
        finding
        for stage, finding in (of_stages or {}).items()
        if steps or stale is None or stage in stale
    ]
    rows = [("what", "needed", "found", "verdict")]
    rows += [(one.what, one.needed, one.found, one.level) for one in findings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    faults = sorted((one for one in findings if one.level != "ok"), key=lambda one: one.problem)
    for one in faults:
        print(f"{one.level}: {one.line}")
    if problems := sum(one.problem for one in faults):
        raise UserError(f"{problems} of {len(findings)} checks found a problem, see above")
    print(f"doctor: warnings: {len(faults)}" if faults else "doctor: no problems found")


def check_machine(params: SharedParams, first_stage: Stage) -> None:
    """Check the machine for the stages from `first_stage` on; warnings go to stderr.

    Raises:
        UserError: at least one check found a problem; the message says what to change.
    """
    findings = list(examine(params, _steps({first_stage}, set())))
    for one in findings:
        if one.level == "warning":
            print(f"{first_stage}: warning: {one.line}", file=sys.stderr)
    if problems := [one.line for one in findings if one.problem]:
        raise UserError(" | ".join(problems))


def _steps(stages: set[str], data_stages: set[str]) -> set[Step]:
    """The steps to run if these stages run again."""
    model, data = "fetch_model" in stages, bool(data_stages & stages)
    train = model or data or bool({"preprocess", "train"} & stages)
    merge = train or "merge" in stages
    score = merge or any(stage.startswith("score") for stage in stages)
    ahead = zip(get_args(Step), (model, data, train, merge, score), strict=True)
    return {step for step, lies_ahead in ahead if lies_ahead}
