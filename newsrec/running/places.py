"""Where programs can work: paths that they understand, folders that can be written."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile, gettempdir

from newsrec.errors import UserError

# What stands in for a home or a cache folder that cannot be written.
SHELTER = Path(".work/home")
_HOMES = {
    "HOME": "",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "HF_HOME": ".cache/huggingface",
    "VLLM_CACHE_ROOT": ".cache/vllm",
    "TORCHINDUCTOR_CACHE_DIR": ".cache/torchinductor",
    "TRITON_CACHE_DIR": ".triton/cache",
    "MPLCONFIGDIR": ".config/matplotlib",
}


def is_plain(path: Path) -> bool:
    """Whether no program can misread the path: a space in LD_PRELOAD, a bracket in a glob."""
    return re.fullmatch(r"[\w./+-]+", str(path.absolute()), re.ASCII) is not None


def is_writable(folder: Path) -> bool:
    """Whether a file can be written there, or where the folder would be made."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path())
    try:
        with TemporaryFile(dir=there) as probe:
            probe.write(b"\0" * 4096)
    except OSError:
        return False
    return True


def writable_homes() -> dict[str, str]:
    """Variables that lead a program away from homes, caches and /tmp that cannot be written."""
    homes = {name: os.environ.get(name, "") for name in _HOMES}
    homes["HOME"] = homes["HOME"] or "/"  # as for a user whom the system does not know
    found = {
        name: str((SHELTER / _HOMES[name]).absolute())
        for name, home in homes.items()
        if home and not is_writable(Path(home))
    }
    if found:
        SHELTER.mkdir(parents=True, exist_ok=True)
    if gettempdir() != os.environ.get("TMPDIR", "/tmp"):  # Python has passed over another one
        found["TMPDIR"] = gettempdir()
    return found


@contextmanager
def plain_path(target: Path) -> Iterator[Path]:
    """A path to a folder that no program can misread: its own, else a link to it.

    Raises:
        UserError: there is no folder for such a link.
    """
    if is_plain(target):
        yield target
        return
    with TemporaryDirectory(prefix="newsrec-", dir=_plain_folder()) as folder:
        link = Path(folder) / "link"
        link.symlink_to(target.absolute(), target_is_directory=True)
        yield link


@cache
def _plain_folder() -> Path:
    folders = [Path(name) for name in (gettempdir(), "/tmp", "/var/tmp", "/dev/shm")]
    for folder in folders:
        if folder.is_dir() and is_plain(folder) and is_writable(folder):
            return folder
    raise UserError(
        f"{Path().absolute()}: the path of the project holds more than ASCII letters, digits and "
        f"._+-, which vLLM and datasets misread, and none of {', '.join(map(str, folders))} takes "
        "a link to it; move the project, or set TMPDIR to a folder that can be written"
    )
