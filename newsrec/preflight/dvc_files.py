"""Files that DVC writes in place, which a kill or a full disk leaves empty or cut short."""

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

# Which process reads or writes which output.
RWLOCK = Path(".dvc/tmp/rwlock")


def damaged_files() -> Iterator[tuple[str, str, str, str]]:
    """Name, what is needed, damage and cure of each of DVC's files that no DVC command can read."""
    if LOCK.exists() and not _is_lock(text := LOCK.read_text(encoding="utf-8", errors="replace")):
        found = "no whole record of the last run" if text.strip() else "empty"
        yield str(LOCK), "", f"{found}, and DVC's commands fail", f"{_cure()}; then dvc repro"
    if RWLOCK.exists():
        try:
            json.loads(RWLOCK.read_text(encoding="utf-8"))
        except ValueError:
            cure = f"where no DVC command is at work: rm {RWLOCK}"
            yield str(RWLOCK), "", "no JSON, and dvc repro fails", cure


def _cure() -> str:
    """The command that makes dvc.lock whole again, of what is at hand the nearest to it."""
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
