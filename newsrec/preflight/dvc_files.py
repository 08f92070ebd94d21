"""Files that DVC writes in place and that a kill or a full disk can leave empty or truncated."""

import json
from collections.abc import Iterator
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import parse_yaml
from voluptuous import Invalid

from newsrec.preflight import machine
from newsrec.running.dvc_stage import LOCK
from newsrec.running.stage_runs import LOCK_COPY

# Records which process reads or writes which output.
RWLOCK = Path(".dvc/tmp/rwlock")


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
