"""Which folders of a source play which part, whatever they are called; none is passed over."""

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from newsrec.errors import UserError

# What a folder may be called, and the part it plays.
_ROLES = {
    "train": "train",
    **dict.fromkeys(("val", "valid", "validation", "dev"), "dev"),
    "test": "test",
    **dict.fromkeys(("unlabelled", "unlabeled"), "unlabelled"),
}
_NAME = re.compile(rf"(?:(MIND(?:small|large|demo))_)?({'|'.join(_ROLES)})", re.IGNORECASE)
_EXPECTED = "train, val (or valid, validation, dev), test or unlabelled, also as in MINDsmall_train"
_ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")


def find_folders(source: Path) -> dict[str, Path]:
    """Map the roles train, dev, test and unlabelled to the folders of `source` that play them.

    Raises:
        UserError: no such folder, no train in it, two folders of one role or of different data
            sets, or a folder or an archive that holds impressions and has no role.
    """
    if not source.is_dir():
        found = "not a folder" if source.exists() else "no such folder"
        raise UserError(
            f"{source}: {found}; expected one that holds train/, val/ and test/, or "
            "MINDsmall_train/ and MINDsmall_dev/; set fetch_mind.path"
        )
    folders = [path.name for path in source.iterdir() if path.is_dir()]
    found_roles = {role: source / name for role, name in roles_of(folders, str(source)).items()}
    _refuse_unused(source, set(found_roles.values()))
    _refuse_packed(source, found_roles)
    if "train" not in found_roles:
        raise UserError(f"{source}: no train folder; expected train/ or MINDsmall_train/ there")
    return found_roles


def check_archives(names: Iterable[str]) -> None:
    """Refuse zips, before gigabytes are downloaded, whose names do not say what they hold.

    Raises:
        UserError: a name gives no role, there is none for train, or see `roles_of`.
    """
    stems = {name: PurePosixPath(name).stem for name in names}
    roles = roles_of(stems.values(), "fetch_mind.files")
    unknown = [name for name, stem in stems.items() if stem not in roles.values()]
    if unknown or "train" not in roles:
        found = f"the name {unknown[0]!r}" if unknown else "no zip of train"
        raise UserError(
            f"fetch_mind.files: {found}; expected names like MINDsmall_train.zip and "
            "MINDsmall_dev.zip; correct fetch_mind.files"
        )


def roles_of(names: Iterable[str], where: str) -> dict[str, str]:
    """Map the roles train, dev, test and unlabelled to the one of `names` that plays each.

    Raises:
        UserError: two names of one role, or of different data sets; `where` says whose they are.
    """
    found: dict[str, str] = {}
    sizes: dict[str, str] = {}
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        size, role = (match[1] or "").lower(), _ROLES[match[2].lower()]
        if role in found:
            mixed = (
                ""
                if sizes[role] == size
                else (" (MINDsmall and MINDlarge use different news ids and never mix)")
            )
            raise UserError(
                f"{where}: both {found[role]} and {name} would be {role}; keep one{mixed}"
            )
        found[role], sizes[role] = name, size
    if len(set(sizes.values())) > 1:
        raise UserError(
            f"{where}: folders of different data sets ({', '.join(found.values())}); keep one of "
            "them, or give all names the same prefix if they belong together"
        )
    return found


def _refuse_unused(source: Path, used: set[Path]) -> None:
    """Refuse impressions that no split would hold: the split that they are would be missed."""
    if any(_is_table(path.name) for path in source.iterdir()):
        raise UserError(
            f"{source}: holds a behaviors.tsv itself; expected it in a sub-folder called "
            f"{_EXPECTED}; move it, or set fetch_mind.path to the folder above"
        )
    # Each child for itself, for a child may be a link, which a walk of the whole would not follow.
    for child in sorted(path for path in source.iterdir() if path.is_dir()):
        for folder, _, names in os.walk(child):
            if Path(folder) not in used and any(map(_is_table, names)):
                raise UserError(
                    f"{folder}: holds a behaviors.tsv and would not be used; expected folders of "
                    f"{source} called {_EXPECTED}; rename it, move it away, or "
                    "set fetch_mind.path to the folder above it"
                )


def _is_table(name: str) -> bool:
    # Also one that is packed: behaviors.tsv.gz.
    return name.lower().startswith("behaviors.tsv")


def _refuse_packed(source: Path, found: dict[str, Path]) -> None:
    for path in sorted(source.iterdir()):
        name = path.name.lower()
        ends = [end for end in _ARCHIVES if name.endswith(end)]
        match = _NAME.fullmatch(name.removesuffix(ends[0])) if ends else None
        if match and _ROLES[match[2]] not in found:
            raise UserError(
                f"{path}: an archive; expected the folder that it holds; unpack it there, or move "
                "it away"
            )
