"""Compare dvc.lock with what Git holds, without the data: in CI, in a clone, before a merge.

`dvc repro --dry --allow-missing` exits with 0 where a stage has to run, and passes metrics and code
that were deleted. So that no commit holds figures of other code or values, this compares each stage
of each DVC project of the repository, the one in the root and those in its folders:

- Command, parameters and the files that are here with dvc.lock. What Git holds must be here; what
  DVC's cache holds may be missing.
- Each dependency with the output of the same path, as two entries of dvc.lock: they differ after a
  run of an earlier stage alone. The output may be one of another project.

Run     make lock-check      (alone: python -m newsrec.lock_check)
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from dvc.dependency import Dependency, ParamsDependency
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage

from newsrec.errors import UserError
from newsrec.running.stage import report_user_error


class Finding(NamedTuple):
    """What differs, and where; `unknown` where the files that it takes to know are not here."""

    what: str
    unknown: bool = False


def main() -> None:
    """Check the repository whose root is the current folder, and print what was found.

    Raises:
        UserError: some dvc.lock is not current, or DVC cannot read a project.
    """
    try:
        findings, summary = check(Path())
    except DvcException as error:
        raise UserError(
            f"{error}; take a version that Git has (git checkout COMMIT -- FILE), then dvc repro"
        ) from None
    for finding in findings:
        print(f"{finding.what}{'; it is not here: not compared' if finding.unknown else ''}")
    if num := sum(not finding.unknown for finding in findings):
        raise UserError(
            f"{num} found that the last run did not record, see above; run dvc repro in the folder "
            "of each project and commit dvc.lock with the metrics and plots that it changed"
        )
    print(f"lock-check: current: {summary}")


def check(root: Path) -> tuple[list[Finding], str]:
    """Check all projects of a repository.

    Returns:
        What was found, and how many stages of which projects were compared.

    Raises:
        UserError: `root` is no DVC project.
        DvcException: a dvc.yaml or dvc.lock cannot be read.
    """
    if not (root / ".dvc").is_dir():
        raise UserError(f"{root.absolute()}: no .dvc; run it in the root of the repository")
    inner = sorted([*root.glob("*/dvc.yaml"), *root.glob("*/*/dvc.yaml")])
    folders = [root, *(path.parent for path in inner if (path.parent / ".dvc").is_dir())]
    with ExitStack() as stack:
        repos = {folder: stack.enter_context(Repo(str(folder))) for folder in folders}
        run = {folder: repo for folder, repo in repos.items() if (folder / "dvc.lock").exists()}
        outputs = {
            Path(str(out.fs_path)): out for repo in repos.values() for out in repo.index.outs
        }
        findings = [
            finding
            for folder, repo in repos.items()
            for stage in repo.index.stages
            for finding in (_check_stage(stage, outputs) if folder in run else _never_run(stage))
        ]
        counts = [f"{len(repo.index.stages)} stages in {folder}" for folder, repo in run.items()]
    return findings, ", ".join(counts)


def _never_run(stage: Stage) -> Iterator[Finding]:
    # The results of a project whose outputs Git ignores, like a file to upload, need no record.
    for out in stage.outs:
        if not out.use_cache and _is_in_git(out):
            yield Finding(
                f"{stage.addressing}: no dvc.lock records what {_shown(out)} was made from"
            )


def _check_stage(stage: Stage, outputs: Mapping[Path, Output]) -> Iterator[Finding]:
    name = stage.addressing
    if not any(path.hash_info for path in (*stage.deps, *stage.outs)):
        yield Finding(f"{name}: not in dvc.lock")
        return
    if stage.changed_stage():
        yield Finding(f"{name}: another command than in dvc.lock")
    for dep in () if stage.frozen else stage.deps:
        if isinstance(dep, ParamsDependency):
            for changes in dep.workspace_status().values():
                keys = ", ".join(changes) if isinstance(changes, dict) else changes
                yield Finding(f"{name}: differs from dvc.lock: {_shown(dep)}: {keys}")
        elif found := _check_dependency(dep, outputs):
            yield Finding(f"{name}: {found.what}", found.unknown)
    for out in stage.outs:
        if not out.hash_info:
            yield Finding(f"{name}: its output {_shown(out)} is not in dvc.lock")
        elif not out.exists and not out.use_cache and _is_in_git(out):
            yield Finding(f"{name}: its output {_shown(out)} is missing")
        elif out.exists and out.workspace_status():
            yield Finding(f"{name}: its output {_shown(out)} differs from dvc.lock")


def _check_dependency(dep: Dependency, outputs: Mapping[Path, Output]) -> Finding | None:
    path, shown = Path(str(dep.fs_path)), _shown(dep)
    out = outputs.get(path)
    near = [out for made, out in outputs.items() if path in made.parents or made in path.parents]
    if not dep.hash_info:
        return Finding(f"its dependency {shown} is not in dvc.lock")
    if out and out.hash_info and out.hash_info != dep.hash_info:
        return Finding(f"it did not run on the {shown} that {out.stage.addressing} made last")
    if dep.exists and dep.workspace_status():
        return Finding(f"its dependency {shown} differs from dvc.lock", unknown=_lacks_files(dep))
    if dep.exists or out:
        return None
    if near:
        return Finding(
            f"its dependency {shown} and {_shown(near[0])}, an output of "
            f"{near[0].stage.addressing}, cannot be compared without the data; let dvc.yaml name "
            "the same path in both"
        )
    return Finding(f"its dependency {shown} is missing", unknown=not _is_in_git(dep))


def _shown(path: Output) -> str:
    return os.path.relpath(str(path.fs_path))


def _is_in_git(path: Output) -> bool:
    """Whether the path of an output or a dependency is one that Git keeps."""
    scm = path.repo.scm
    return Path(scm.root_dir) in Path(path.fs_path).parents and not scm.is_ignored(path.fs_path)


def _lacks_files(dep: Dependency) -> bool:
    """Whether files of the user's own, which Git ignores, are missing in a folder for them."""
    folder = Path(str(dep.fs_path))
    if not (folder.is_dir() and dep.repo.scm.is_ignored(str(folder / "any"))):
        return False
    return sum(path.is_file() for path in folder.rglob("*")) < (dep.meta.nfiles or 0)


if __name__ == "__main__":
    with report_user_error("lock-check"):
        main()
