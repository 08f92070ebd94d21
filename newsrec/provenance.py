"""What made a result: the commit, the versions of what computed it, the processor.

Each stage that computes for long records its own, since they need not run on one machine or at
one commit. Nothing in it names the machine, its user or a folder.
"""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from newsrec.errors import UserError
from newsrec.git import git
from newsrec.preflight import machine
from newsrec.running.light_imports import leave_out_torch

# Whose version can change a figure.
PACKAGES = (
    *("torch", "transformers", "tokenizers", "safetensors", "peft", "adapters", "accelerate"),
    *("bitsandbytes", "datasets", "trl", "llamafactory", "numpy", "pandas", "pyarrow"),
    *("scikit-learn", "scipy", "dvc"),
)
# What a run itself writes: that it differs from the last commit says nothing about the code.
_RESULTS = ("**/dvc.lock", "**/metrics/**/*.json", "**/plots/**/*.tsv")


def provenance(vllm: Path | None = None) -> dict[str, Any]:
    """What a stage that begins now is computed by.

    Args:
        vllm: the Python of vLLM's environment, if vLLM computes.

    Returns:
        `commit`, the one that is checked out (None without Git); `uncommitted_changes`, whether any
        file but results differs from it; `python`, `packages`, `cpu` and `gpus`.
    """
    return {
        **_commit(),
        "python": platform.python_version(),
        "packages": dict(_versions(vllm)),
        "cpu": f"{_cpu()}, {os.cpu_count()} logical cores",
        "gpus": [gpu.device for gpu in machine.gpus()],
    }


def begin_scoring(engine: str) -> dict[str, Any]:
    """What a scoring that begins now is computed by; see `provenance`.

    vLLM computes in a process of its own: this one does without PyTorch then.

    Args:
        engine: that scores.
    """
    # Stages that train record what computes too, and start faster without this.
    from newsrec.engines.vllm_engine import vllm_python

    made_by = provenance(vllm_python() if engine == "vllm" else None)
    if engine == "vllm":
        leave_out_torch()
    return made_by


def _commit() -> dict[str, str | bool | None]:
    try:
        commit, trouble = git("rev-parse", "HEAD")
    except UserError as error:  # without Git there is a run all the same
        trouble = str(error)
    if trouble:
        return {"commit": None, "uncommitted_changes": None}
    return {"commit": commit, "uncommitted_changes": bool(uncommitted(_RESULTS))}


def uncommitted(results: tuple[str, ...] = ()) -> list[str]:
    """The files of the whole repository that differ from the last commit, untracked ones too.

    Args:
        results: globs of files that do not count.
    """
    excluded = (f":(top,exclude,glob){pattern}" for pattern in results)
    listed, _ = git("status", "--porcelain", "--untracked-files=all", "--", ":(top)", *excluded)
    return [line.strip().split(maxsplit=1)[1] for line in listed.splitlines()]


def _versions(vllm: Path | None) -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
    if vllm is not None and (found := machine.packages(vllm).get("vllm")):
        yield "vllm", found


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()
