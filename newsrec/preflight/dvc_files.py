"""Files that DVC needs: its own, which a kill can leave empty or truncated, and the user's."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import parse_yaml
from omegaconf import OmegaConf
from voluptuous import Invalid

from newsrec.preflight import machine
from newsrec.running.dvc_stage import LOCK
from newsrec.running.stage_runs import LOCK_COPY

# Records which process reads or writes which output.
RWLOCK = Path(".dvc/tmp/rwlock")
_KEY = re.compile(r"\$\{(\w+\.[\w.]+)\}")  # a dependency that params.yaml names


def damaged_files() -> Iterator[tuple[str, str, str, str]]:
    """Name, requirement, damage and remedy of each DVC file that DVC commands cannot read."""
    if LOCK.exists() and not _is_lock(text := LOCK.read_text(encoding="utf-8", errors="replace")):
        found = "not a complete record of the last run" if text.strip() else "empty"
        yield str(LOCK), "", f"{found}, so DVC commands fail", f"{_cure()}; then dvc repro"
    if RWLOCK.exists():
        try:
            json.loads(RWLOCK.read_text(encoding="utf-8"))
        except ValueError:
            cure = f"if no DVC command is running: rm {RWLOCK}"
            yield str(RWLOCK), "", "not valid JSON, so dvc repro fails", cure


def missing_dependencies() -> Iterator[tuple[str, str, str, str]]:
    """Key, nothing, what is missing and cure of each dependency that params.yaml names.

    Without one of them `dvc repro` fails, whatever there is to do, and says `[Errno 2]`.
    """
    graph, params = Path("dvc.yaml"), Path("params.yaml")
    if not graph.exists() or not params.exists():
        return
    values = OmegaConf.load(params)
    try:
        stages = parse_yaml(graph.read_text(encoding="utf-8"), str(graph)).get("stages", {})
    except DvcException:  # which every DVC command reports
        return
    for stage in stages.values():
        for dependency in stage.get("do", stage).get("deps", ()):
            key = _KEY.fullmatch(str(dependency))
            path = OmegaConf.select(values, key[1]) if key else None
            if key and path is not None and not Path(path).exists():
                yield key[1], "", f"{path}: not found", f"make it, or correct {key[1]}"


def _cure() -> str:
    """The command that restores dvc.lock from the most recent available copy."""
    if LOCK_COPY.exists() and _is_lock(LOCK_COPY.read_text(encoding="utf-8")):
        return f"cp {LOCK_COPY} {LOCK}"
    if _is_lock(machine.output_of("git", "show", f"HEAD:./{LOCK}")):
        return f"git checkout HEAD {LOCK}"
    return f"rm {LOCK}"


def _is_lock(text: str) -> bool:
    try:
        COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, str(LOCK)))
    except (DvcException, Invalid):
        return False
    return True
