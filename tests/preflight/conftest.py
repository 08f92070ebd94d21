"""A machine that has all that Qwen3-8B needs, of which tests take something away."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from newsrec.preflight import machine
from newsrec.preflight.machine import Memory
from tests import ROOT

GB = 10**9


def gpu(total: float, free: float | None = None) -> Memory:
    """A GPU of some GB."""
    return Memory("NVIDIA L4", int(total * GB), int((total if free is None else free) * GB))


def pinned() -> dict[str, str]:
    """What `make env` installs, with vLLM for CUDA."""
    files = ("requirements.txt", "requirements-vllm-cuda.txt")
    vllm, own = (
        machine.versions((ROOT / file).read_text(encoding="utf-8")) for file in files[::-1]
    )
    return {**vllm, **own}


class Machine:
    """Sets what `newsrec.preflight.machine` reports."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def has(self, **facts: object) -> None:
        """`free_disk` in bytes, and results of the functions of the module by their names."""
        for name, value in facts.items():
            if name == "free_disk":
                space = SimpleNamespace(free=value)
                self._monkeypatch.setattr("shutil.disk_usage", lambda _, space=space: space)
            else:
                self._monkeypatch.setattr(machine, name, lambda *_, value=value: value)


@pytest.fixture
def plenty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine that has all; this folder is empty."""
    monkeypatch.chdir(tmp_path)
    found = Machine(monkeypatch)
    found.has(
        gpus=[gpu(24)],
        ram=Memory("RAM", 64 * GB, 60 * GB),
        free_disk=900 * GB,
        dvc_cache=(Path(), True),
        packages=pinned(),
        ask_hub=("http://hub", ""),
        stale_stages=None,
    )
    return found
