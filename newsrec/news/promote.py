"""Register the tuned model as a new version, if it is shown to be better than the last one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.git import git
from newsrec.news.evaluation.by_user import paired_gain
from newsrec.news.report.verdict import (
    METRIC_NAMES,
    Metrics,
    Probe,
    deciding,
    gain,
    is_artefact,
    leak_notice,
)
from newsrec.protocol import require_same
from newsrec.report.tables import BETTER, SAME, Gain
from newsrec.report.text import p_value
from newsrec.sharing.gates import committed_run
from newsrec.sharing.registry import Version, last_version, register

ARTIFACT = "news-recommender"  # of `artifacts` in dvc.yaml
EVALUATION, BY_USER = Path("metrics/evaluate.json"), Path("metrics/by_user.json")
_EVALUATE_AGAIN = (
    "run and commit that model again with this version of the code, and register that commit by "
    f"hand: gto register {ARTIFACT} COMMIT"
)


def promote(num_resamples: int, seed: int) -> str:
    """Register the model of this commit; the paired test is over the same users and rows.

    The first version has to be better than its base.

    Args:
        num_resamples: of users, see `ClusterBootstrap`.
        seed: of the resamples.

    Returns:
        What was registered, and why.

    Raises:
        UserError: it is not registered, with the reason.
    """
    if failed := list(committed_run()):
        raise UserError(f"{ARTIFACT} is not registered: {' | '.join(failed)}")
    metrics, probe = read_json(EVALUATION), read_json(Path("metrics/baselines.json"))["leak_probe"]
    if failed := list(evidence(metrics, probe)):
        raise UserError(f"{ARTIFACT} is not registered: {' | '.join(failed)}")
    last, key = last_version(ARTIFACT), deciding(metrics)
    if last is None:
        other, found = "its base, and no version is registered yet", gain(metrics, "base", key)
    else:
        other, found = _named(last), _gain_over(last, metrics, key, num_resamples, seed)
    figures = f"{METRIC_NAMES[key]} {found}, {p_value(found.p)}"
    if found.outcome != BETTER:
        shown = (
            "it is not significantly different from"
            if found.outcome == SAME
            else "it is worse than"
        )
        raise UserError(f"{ARTIFACT} is not registered: {shown} {other}: {figures}")
    tag = register(ARTIFACT, f"{ARTIFACT}: better than {other}: {figures}")
    return f"{tag}: better than {other}: {figures}. To share it: git push origin {tag}"


def evidence(metrics: Metrics, probe: Probe) -> Iterator[str]:
    """What keeps the figures from being evidence about the model; a gate, see `sharing.gates`."""
    if leak_notice(metrics["protocol"]):
        yield (
            "the prompt shows what became of the other candidates (prompt.feedback="
            "same_impression), so that its figures are no evidence about future clicks; set "
            "prompt.feedback to earlier or none"
        )
    elif is_artefact(metrics, probe):
        yield "the gain is an artefact of the prompt, see the report; change what the prompt shows"


def _gain_over(last: Version, metrics: Metrics, key: str, num_resamples: int, seed: int) -> Gain:
    head, _ = git("rev-parse", "HEAD")
    if head == last.commit:
        raise UserError(f"{ARTIFACT}: this commit is registered already, as {last.name}")
    theirs = {path: _committed(last, path) for path in (EVALUATION, BY_USER)}
    require_same(theirs[EVALUATION]["protocol"], metrics["protocol"], (_named(last), "this commit"))
    ours = read_json(BY_USER)
    if ours["rows"] != theirs[BY_USER]["rows"]:
        raise UserError(
            f"{ARTIFACT} is not registered: {_named(last)} was measured on other rows than this "
            f"commit, though under the same protocol; {_EVALUATE_AGAIN}"
        )
    difference = paired_gain(ours, theirs[BY_USER], key, num_resamples, seed)
    return Gain(difference.delta, difference.low, difference.high, difference.p)


def _committed(version: Version, path: Path) -> Mapping[str, Any]:
    text, trouble = git("show", f"{version.commit}:./{path}")
    try:
        if not trouble:
            values: Mapping[str, Any] = json.loads(text)
            return values
    except json.JSONDecodeError as error:
        trouble = str(error)
    raise UserError(
        f"{ARTIFACT} is not registered: the commit of {_named(version)} has no {path} to compare "
        f"with ({trouble}); {_EVALUATE_AGAIN}"
    )


def _named(version: Version) -> str:
    return f"{version.name} ({version.commit[:7]})"
