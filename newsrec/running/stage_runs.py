"""A stage as the project runs it: alone, and not again what is finished."""

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from newsrec.running import unrecorded
from newsrec.running.dvc_stage import (
    GRAPH,
    LOCK,
    Digest,
    DvcStage,
    md5,
    read_lock,
    read_stage,
    stage_name,
)

WORK = Path(".work")
# A whole dvc.lock, as it was when the last stage began: one that is damaged is replaced by it.
LOCK_COPY = WORK / LOCK
_DRAFT = re.compile(r"[a-z0-9_]{8}")  # how `tempfile` ends a name


def run_alone(script: str, main: Callable[[], None]) -> str:
    """Run a stage's `main`, unless another process runs the same stage here.

    Under DVC, outputs that an earlier run finished of the same inputs and that DVC did not record
    are put back instead, and inputs that are not what DVC recorded of them are refused.

    Args:
        script: name of the stage's file, without its suffix.
        main: of that file.

    Returns:
        Why it did not run, and what to do; empty where it ran.
    """
    if not GRAPH.exists():
        main()
        return ""
    name = stage_name(script).rpartition(":")[2]
    with locked(name) as holder:
        if holder is not None:
            return (
                f"another run of this stage is at work (process {holder}) and writes the same "
                f"outputs; wait for its end, or end it: kill {holder}"
            )
        stage = read_stage(name)
        if stage is not None:
            _remove_drafts(stage)
        if stage is None or "DVC_STAGE" not in os.environ:
            main()
            return ""
        return _run_for_dvc(stage, main)


def _run_for_dvc(stage: DvcStage, main: Callable[[], None]) -> str:
    recorded = read_lock() or {}
    if recorded:
        draft = LOCK_COPY.with_suffix(".draft")
        shutil.copyfile(LOCK, draft)
        draft.replace(LOCK_COPY)
    unrecorded.drop_recorded(recorded)
    digest = cache(md5)  # many gigabytes, read once
    if problem := _altered(stage, recorded, digest):
        return problem
    inputs = unrecorded.inputs_of(stage, digest)
    if unrecorded.adopt(stage, inputs):
        print(f"{stage.name}: had finished before, and DVC had not recorded it: taken as it was")
        return ""
    main()
    unrecorded.keep(stage, inputs)
    return ""


@contextmanager
def locked(name: str) -> Iterator[int | None]:
    """Hold a lock in the current folder, or yield the process that holds it, without waiting.

    The kernel releases it when the process ends, however it ends.

    Args:
        name: of the lock, such as a stage's.

    Yields:
        None, or the id of the process that holds the lock.
    """
    WORK.mkdir(exist_ok=True)
    with (WORK / f"{name}.lock").open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                stream.seek(0)
                yield int(stream.read() or 0)
                return
            # Some file systems of clusters have no locks.
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield None


def _remove_drafts(stage: DvcStage) -> None:
    """Remove what runs of this stage that were killed left beside its outputs.

    A folder may be written as a whole though its files are outputs each.
    """
    outs = set(map(Path, stage.outs))
    written = outs | {folder for out in outs for folder in out.parents if folder.name}
    for target in written:
        for path in target.parent.glob(f".{target.name}.*"):
            if not _DRAFT.fullmatch(path.name.removeprefix(f".{target.name}.")):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _altered(stage: DvcStage, recorded: Mapping[str, Any], digest: Digest) -> str:
    """Which input is not what DVC recorded of it, and what to do; empty if all are.

    DVC takes an object of its cache for whole if nobody may write it, and does not look again
    behind a checkout.
    """
    for name, entry in recorded.items():
        for out in entry.get("outs", []) if name != stage.name else ():
            path = Path(out["path"])
            read = any(Path(dep).is_relative_to(path) for dep in stage.deps)
            if not read or out.get("hash") != "md5" or digest(path) in (out["md5"], None):
                continue
            # DVC keeps the records of stages that dvc.yaml has no more.
            owner = read_stage(name)
            if owner is None or out["path"] not in owner.outs:
                continue
            if problem := _explain(name, path, out["md5"]):
                return problem
    return ""


def _explain(stage: str, path: Path, recorded: str) -> str:
    from dvc.repo import Repo  # takes a second to import

    with Repo() as repo:
        objects = repo.cache.local
        listed = {path: recorded}
        listing = Path(objects.oid_to_path(recorded))
        if recorded.endswith(".dir") and listing.exists():
            files = json.loads(listing.read_text(encoding="utf-8"))
            listed = {path / one["relpath"]: one["md5"] for one in files}
        for file, expected in listed.items():
            if md5(file) == expected:
                continue
            cached = Path(objects.oid_to_path(expected))
            if cached.exists() and md5(cached) != expected:
                return (
                    f"{file}: damaged, as is what DVC's cache has of it; remove both: rm -rf "
                    f"{cached} {path}; then dvc pull {path} fetches it, or dvc repro {stage} makes "
                    "it again"
                )
            return (
                f"{file}: not what dvc.lock records of the stage {stage}; dvc checkout --force "
                f"{path} brings that back, dvc commit --force {stage} records this one"
            )
    return ""
