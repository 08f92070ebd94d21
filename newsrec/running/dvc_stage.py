"""A stage of dvc.yaml as DVC sees it: its command, dependencies and outputs, and their digests.

For what a stage does before DVC has recorded it. DVC itself takes a second to import, and its own
functions wait for the locks that it holds while it runs a stage.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

GRAPH = Path("dvc.yaml")
LOCK = Path("dvc.lock")
PARAMS = Path("params.yaml")

# Of a path, see `md5`.
Digest = Callable[[Path], str | None]


@dataclass(frozen=True)
class DvcStage:
    """One entry of dvc.yaml, with the values in place of `${}`.

    Attributes:
        name: DVC's, like `score@base`.
        cmd: what DVC runs.
        deps: files and folders that it reads.
        params: keys of params.yaml.
        outs: files and folders that it writes, metrics and plots among them.
    """

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


def stage_name(script: str) -> str:
    """DVC's name of the stage that this process runs, like `score@base`, by DVC or by hand.

    Args:
        script: name of the stage's file, without its suffix.
    """
    if given := os.environ.get("DVC_STAGE"):
        return given
    graph = _load(GRAPH) if GRAPH.exists() else {}
    runs_often = {"foreach", "matrix"} & set(graph.get("stages", {}).get(script, {}))
    return f"{script}@{sys.argv[1]}" if runs_often and len(sys.argv) > 1 else script


def read_stage(name: str) -> DvcStage | None:
    """The stage of that name in dvc.yaml; None where it is not in there or only DVC can read it."""
    script, _, key = name.partition("@")
    entry = _load(GRAPH)["stages"].get(script) if GRAPH.exists() else None
    if entry is None:
        return None
    values = _load(PARAMS) if PARAMS.exists() else {}
    if "foreach" in entry:
        each = entry["foreach"]
        values = {**values, "key": key, "item": each[key] if isinstance(each, dict) else key}
        entry = entry["do"]
    entry = _resolved(entry, values)
    if "matrix" in entry or "wdir" in entry or "${" in str(entry):
        return None
    params = entry.get("params", [])
    return DvcStage(
        name,
        str(entry["cmd"]),
        # Another file of parameters counts whole.
        (*_paths(entry.get("deps", [])), *_paths(one for one in params if isinstance(one, dict))),
        tuple(one for one in params if isinstance(one, str)),
        tuple(_paths(one for kind in _OUTPUTS for one in entry.get(kind, []))),
    )


_OUTPUTS = ("outs", "metrics", "plots")


def read_params(stage: DvcStage) -> dict[str, Any]:
    """The values of the parameters that a stage depends on, by their keys."""
    values = _load(PARAMS) if stage.params else {}
    return {key: select(values, key) for key in stage.params}


def read_lock(path: Path = LOCK) -> dict[str, Any] | None:
    """The stages that a dvc.lock records, by name; None where it is damaged.

    A kill, or a full disk, while DVC writes it leaves it empty or cut short.
    """
    if not path.exists():
        return {}
    try:
        stages = _load(path)["stages"]
        recorded = {name: entry["cmd"] and entry for name, entry in stages.items()}
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, LookupError, AttributeError):
        return None
    return recorded


def select(values: Mapping[str, Any], key: str) -> Any:
    """The value at a key like `section.value` or `section.list[0]`; None where there is none."""
    found: Any = values
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(found, list):
            found = dict(enumerate(found)).get(int(part)) if part.isdigit() else None
        else:
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def md5(path: Path) -> str | None:
    """The digest that DVC records of a file or a folder; None where there is nothing."""
    if path.is_dir():
        files = sorted(file.relative_to(path).as_posix() for file in files_of(path))
        tree = [{"md5": md5(path / file), "relpath": file} for file in files]
        return hashlib.md5(json.dumps(tree).encode(), usedforsecurity=False).hexdigest() + ".dir"
    if not path.exists():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def files_of(path: Path) -> Iterator[Path]:
    """The files below a folder, or the file itself."""
    found = path.rglob("*") if path.is_dir() else iter([path])
    return (file for file in found if file.is_file())


def _load(path: Path) -> dict[str, Any]:
    # As safe as `safe_load`, and ten times as fast.
    values: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return values


def _resolved(entry: Any, values: Mapping[str, Any]) -> Any:
    """A part of dvc.yaml with the values that there are in place of `${}`."""
    if isinstance(entry, str):

        def value(found: re.Match[str]) -> str:
            known = select(values, found[1])
            return found[0] if known is None else str(known)

        return re.sub(r"\$\{([\w.\[\]]+)\}", value, entry)
    if isinstance(entry, dict):
        return {_resolved(key, values): _resolved(one, values) for key, one in entry.items()}
    return [_resolved(one, values) for one in entry] if isinstance(entry, list) else entry


def _paths(entries: Iterator[Any] | list[Any]) -> Iterator[str]:
    """The paths in a list of dvc.yaml, whose entries may have settings."""
    return (next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries)
