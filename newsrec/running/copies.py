"""A run in a copy of the project, as `dvc exp run --queue` and `--temp` make it.

The copy holds what Git tracks and what DVC's cache has, but no file that Git ignores: neither data
of the user's own nor the environments. DVC compares what is in the copy, so that a run must not go
on without such data: what was computed without it before would count as computed.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_COPIES = Path(".dvc/tmp/exps")
_OWN = ("local", "files")


def original(path: Path) -> Path:
    """Where `path` is in the checkout that was copied; `path`, absolute, where this is no copy."""
    path = path.absolute()
    copy = next((folder for folder in (path, *path.parents) if (folder / ".git").exists()), path)
    for project in copy.parents:
        if copy.is_relative_to(project / _COPIES):
            # The DVC project may be in a folder of the checkout; the copy is of all of it.
            folders = (project, *project.parents)
            checkout = next(folder for folder in folders if (folder / ".git").exists())
            return checkout / path.relative_to(copy)
    return path


def missing_in_copy() -> str:
    """What of the user's own this copy lacks, and how to run with it; empty if it lacks nothing.

    The user's own are the folders that dvc.yaml names as dependencies and no stage writes. One
    named by a section of params.yaml, like `${fetch_mind.path}`, is read where the section's
    `source` is `local` or `files`.
    """
    if original(Path()) == Path.cwd():
        return ""
    import yaml  # takes longer than all else that a command imports to report an error

    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    for name in _folders(yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))):
        section, _, key = name.removeprefix("${").removesuffix("}").partition(".")
        by_setting = name.startswith("${")
        if by_setting and params.get(section, {}).get("source") not in _OWN:
            continue
        folder = Path(params[section][key] if by_setting else name)
        if folder.is_absolute() or not (missing := list(_missing(folder, original(folder)))):
            continue
        words = shlex.join([word for path in missing for word in ("-C", str(path))])
        absolute = f", with an absolute {section}.{key}" if by_setting else ""
        return (
            f"{folder}: this run is in a copy (dvc exp run --queue or --temp), which has no file "
            f"that Git ignores and so lacks {', '.join(path.name for path in missing)}; run it "
            f"again with {words}{absolute}, or without a copy: dvc exp run"
        )
    return ""


def _folders(graph: Mapping[str, Any]) -> Iterator[str]:
    """Dependencies that no stage writes and that are folders, or may be one."""
    stages = [stage.get("do", stage) for stage in graph["stages"].values()]
    made = {
        path
        for stage in stages
        for kind in ("outs", "metrics", "plots")
        for entry in stage.get(kind, [])
        for path in (entry if isinstance(entry, dict) else [entry])
    }
    found = dict.fromkeys(dep for stage in stages for dep in stage.get("deps", []))
    for name in found:
        written = any(Path(name).is_relative_to(path) for path in made)
        if not written and (name.startswith("${") or Path(name).is_dir()):
            yield name


def _missing(folder: Path, source: Path) -> Iterator[Path]:
    """What `source` has and `folder` has not, outermost paths first; hidden files aside."""
    for entry in sorted(source.iterdir()) if source.is_dir() else ():
        here = folder / entry.name
        if entry.name.startswith("."):
            continue
        if not here.exists():
            yield here
        elif entry.is_dir():
            yield from _missing(here, entry)
