"""What a stage has finished and DVC has not recorded, since it was killed while it committed.

The next `dvc repro` removes the outputs and runs the stage again. So links to them are kept, with
all that they depend on, until dvc.lock records them.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newsrec.running.dvc_stage import Digest, DvcStage, files_of, md5, read_params

FOLDER = Path(".work/unrecorded")
_MARKER = "finished.json"


def inputs_of(stage: DvcStage, digest: Digest) -> dict[str, Any]:
    """All that the outputs of a stage depend on: its command, code, data and parameters."""
    return {
        "cmd": stage.cmd,
        "deps": {dep: digest(Path(dep)) for dep in stage.deps},
        "params": read_params(stage),
    }


def keep(stage: DvcStage, inputs: Mapping[str, Any]) -> None:
    """Keep the outputs of a stage that has just ended, made of these inputs."""
    draft = FOLDER / f".{stage.name}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    _link(stage, Path(), draft)
    marker = {"inputs": inputs, "files": _files(stage, draft)}
    (draft / _MARKER).write_text(json.dumps(marker), encoding="utf-8")
    shutil.rmtree(FOLDER / stage.name, ignore_errors=True)
    draft.rename(FOLDER / stage.name)


def adopt(stage: DvcStage, inputs: Mapping[str, Any]) -> bool:
    """Put the kept outputs back if they were made of the same inputs and nobody changed them."""
    kept = FOLDER / stage.name
    try:
        marker = json.loads((kept / _MARKER).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    # As JSON has it: 1 and 1.0 are two values, tuples are lists.
    same = json.dumps(marker["inputs"], sort_keys=True) == json.dumps(inputs, sort_keys=True)
    if not same or marker["files"] != _files(stage, kept):
        shutil.rmtree(kept)
        return False
    _link(stage, kept, Path())
    return True


def drop_recorded(recorded: Mapping[str, Any]) -> None:
    """Drop what dvc.lock records by now: who runs such a stage again wants it to run."""
    for kept in FOLDER.iterdir() if FOLDER.is_dir() else ():
        outs = recorded.get(kept.name, {}).get("outs", [])
        if outs and all(md5(kept / out["path"]) == out.get("md5") for out in outs):
            shutil.rmtree(kept)


def _link(stage: DvcStage, source: Path, target: Path) -> None:
    """Link the outputs below one folder into another, in place of what is there."""
    for out in stage.outs:
        if not (source / out).exists():
            continue
        (target / out).parent.mkdir(parents=True, exist_ok=True)
        if (target / out).is_dir():
            shutil.rmtree(target / out)
        (target / out).unlink(missing_ok=True)
        if (source / out).is_dir():
            shutil.copytree(source / out, target / out, copy_function=_link_file)
        else:
            _link_file(source / out, target / out)


def _link_file(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)


def _files(stage: DvcStage, folder: Path) -> dict[str, list[int]]:
    """Size and time of change of each file of the outputs below a folder."""
    found = [file for out in stage.outs for file in files_of(folder / out)]
    return {
        file.relative_to(folder).as_posix(): [file.stat().st_size, file.stat().st_mtime_ns]
        for file in found
    }
