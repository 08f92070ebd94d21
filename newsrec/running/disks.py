"""A disk that is full or cannot be written, in words for a person."""

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir, gettempprefix

# How the system, SQLite and PyTorch say it.
FULL = (
    "no space left on device",
    "disk quota exceeded",
    "database or disk is full",
    "PytorchStreamWriter failed writing",
)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = {
    errno.EROFS: "its disk is mounted read-only; mount it writable, or move the project",
    errno.EACCES: "permission denied; let this user read and write it (chown, chmod)",
    errno.EPERM: "nobody may change it; chattr -i where lsattr shows an i, else chown",
}
FREE_SOME = "free some space and run the same again"


def explain_disk(error: BaseException) -> str:
    """Why a disk is at the bottom of an error, and what to do; empty where none is."""
    for one in _chain(error):
        text = str(one).lower()
        if getattr(one, "errno", None) in _FULL or any(sign.lower() in text for sign in FULL):
            return f"no space left on a disk (now {', '.join(_free())}); {FREE_SOME}"
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in _CLOSED and isinstance(one.filename, str):
            return f"{_target(Path(one.filename))}: {_CLOSED[one.errno]}"
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _free() -> Iterator[str]:
    """The disks that are written to, and what each has left."""
    folders = (Path(gettempdir()), Path.cwd())
    for folder in {one.stat().st_dev: one for one in folders}.values():
        yield f"{shutil.disk_usage(folder).free / 10**6:,.1f} MB free in {folder}"


def _target(path: Path) -> Path:
    """The folder of a draft, whose own name means nothing to a user."""
    is_draft = path.name.startswith((".", gettempprefix()))
    return path.parent if is_draft else path
