"""Compare the figures of two commits or experiments, if they were measured alike."""

import json
from pathlib import Path
from typing import Any

from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.git import git
from newsrec.protocol import TREATMENT, require_same

SOURCE = Path("metrics/evaluate.json")
KEYS = ("auc", "mrr", "ndcg_at_10", "accuracy")
WORKSPACE = "workspace"  # as DVC calls the files here
_UNFINISHED = {
    "stash": "is queued and has no figures yet; run it with: dvc queue start",
    "failed": "failed and has no figures; see why with: dvc queue logs",
}


def compare(one: str, other: str) -> str:
    """A Markdown table of the tuned model in two revisions.

    Args:
        one: a commit, branch or tag as Git reads it, the name of an experiment, or `workspace`.
        other: another.

    Raises:
        UserError: a revision or its figures are missing, or their protocols differ in more than
            the treatment.
    """
    return table(_figures(one), _figures(other), (one, other))


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


def _figures(name: str) -> dict[str, Any]:
    if name == WORKSPACE:
        values = read_json(SOURCE)
    else:
        text, trouble = git("show", f"{_commit(name)}:./{SOURCE}")
        if trouble:
            raise UserError(
                f"{name}: no {SOURCE} in this commit; expected one whose metrics are committed"
            )
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"{name}: its {SOURCE} is no JSON: {error}") from None
    if not isinstance(values, dict) or not {"protocol", "tuned"} <= values.keys():
        raise UserError(f"{name}: its {SOURCE} has no protocol or no figures of a tuned model")
    return values


def _commit(name: str) -> str:
    """The commit that a revision names: Git's own first, then DVC's experiments.

    Raises:
        UserError: nothing has that name, or it has no figures yet.
    """
    _, trouble = git("rev-parse", "--git-dir")
    if trouble:
        raise UserError(f"{trouble}; expected a folder of a Git repository with commits to compare")
    commit, trouble = git("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    if trouble:
        return _experiment(name)
    # What DVC keeps of a queued experiment, by the number that `dvc queue status` shows, is a
    # commit too: one with the figures of before.
    kind, _, subject = git("show", "--no-patch", "--format=%s", commit)[0].partition(":")
    return _experiment(subject.split(":")[2]) if kind == "dvc-exp" else commit


def _experiment(name: str) -> str:
    found = {}  # by the commit that it began at
    listed, _ = git("for-each-ref", "--format=%(objectname)/%(refname)", "refs/exps")
    for line in listed.splitlines():
        # <commit>/refs/exps/<two digits>/<the other digits of where it began>/<name>
        commit, _, _, *rest = line.split("/", 5)
        if rest[2:] == [name]:
            found["".join(rest[:2])] = commit
    head, _ = git("rev-parse", "HEAD")
    if len(found) > 1 and head not in found:
        raise UserError(
            f"{name}: {len(found)} experiments of that name, none of which began at this commit; "
            f"expected one, like {' or '.join(sorted(one[:7] for one in found.values()))}"
        )
    if found:
        return found.get(head) or next(iter(found.values()))
    for stash, state in _UNFINISHED.items():
        ref = f"refs/exps/celery/{stash}"
        subjects, _ = git("log", "--walk-reflogs", "--format=%s", ref, "--")
        if any(subject.split(":")[3:4] == [name] for subject in subjects.splitlines()):
            raise UserError(f"{name}: this experiment {state}")
    raise UserError(
        f"{name!r}: no such commit, branch, tag or experiment that has run; expected one that git "
        f"log --all or dvc exp list --all-commits shows, or {WORKSPACE}: the files here"
    )
