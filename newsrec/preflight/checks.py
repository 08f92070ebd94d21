"""What a run needs held against what the machine has: fine, doubtful, or bound to fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from newsrec.preflight.machine import Gpu, Memory, Vllm
from newsrec.preflight.needs import GB

# On a CPU a model of more parameters takes days.
LARGE = 10**9

_CACHE_LINKS = "spare DVC's copies (dvc config cache.type reflink,hardlink,symlink,copy)"


@dataclass(frozen=True)
class Finding:
    """One thing compared: a warning may fail, a problem cannot work; `remedy` is empty if ok."""

    level: Literal["ok", "warning", "problem"]
    what: str
    needed: str
    found: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """All of it in one line, for a message."""
        needed = f", {self.needed} needed" if self.needed else ""
        return f"{self.what}: {self.found}{needed}; {self.remedy}"


def check_disk(folder: Path, needed: int, free: int, copies: bool) -> Finding:
    """Whether `needed` bytes are free; `copies`: DVC's cache holds a second copy of the outputs."""
    told = f"disk of {folder.absolute()}", _gb(needed), f"{_gb(free)} free"
    if needed <= free:
        return Finding("ok", *told)
    spare = f"; or {_CACHE_LINKS}" if copies else ""
    return Finding("problem", *told, f"free {_gb(needed - free)}{spare}; or choose a smaller model")


def check_memory(
    what: str, needed: int, weights: int, memory: Memory, smaller: str, other: str
) -> Finding:
    """Whether a stage fits into a memory.

    Args:
        what: the memory and the stage.
        needed: bytes at the peak, estimated.
        weights: bytes of the weights alone, certain.
        memory: of the device.
        smaller: what lowers the estimate, in order.
        other: what lowers the weights.
    """
    told = what, _gb(needed), f"{_gb(memory.free)} free of {_gb(memory.total)}"
    if weights > memory.total:
        return Finding("problem", *told, f"the weights alone are {_gb(weights)}: {other}")
    if needed > memory.free:
        busy = "end what else uses it, or " if needed <= memory.total else ""
        return Finding("warning", *told, f"{busy}{smaller}")
    return Finding("ok", *told)


def check_vllm_share(needed: int, weights: int, memory: Memory, utilization: float) -> Finding:
    """Whether vLLM fits into its share of a GPU, `utilization` of all of it."""
    share = int(memory.total * utilization)
    found = f"{_gb(share)}, {utilization:g} of {_gb(memory.total)}; {_gb(memory.free)} free"
    told = "GPU memory to score", _gb(needed), found
    if weights > share:
        raised = "raise score.gpu_memory_utilization, or " if weights <= memory.total else ""
        remedy = f"the weights alone are {_gb(weights)}: {raised}choose a smaller model"
        return Finding("problem", *told, remedy)
    if needed > share:
        remedy = "raise score.gpu_memory_utilization, lower score.max_model_len, set "
        return Finding("warning", *told, f"{remedy}score.enforce_eager, or choose a smaller model")
    if share > memory.free:
        remedy = "end what else uses the GPU, or lower score.gpu_memory_utilization: vLLM takes its"
        return Finding("warning", *told, f"{remedy} whole share at start")
    return Finding("ok", *told)


def check_device(num_parameters: int, gpus: Sequence[Gpu]) -> Finding:
    """Whether a model of this size has a GPU to run on."""
    if gpus:
        return Finding("ok", "GPU", "", ", ".join(gpu.name for gpu in gpus))
    if num_parameters > LARGE:
        found = "none (nvidia-smi, CUDA_VISIBLE_DEVICES)"
        remedy = f"{num_parameters / 10**9:.1f} billion parameters take days on the CPU: "
        return Finding("warning", "GPU", "one", found, f"{remedy}use a GPU, or a smaller model")
    return Finding("ok", "GPU", "", "none; the CPU will do")


def check_precision(precision: str, gpus: Sequence[Gpu]) -> Finding:
    """Whether there is a GPU for bfloat16, where `train.precision` insists on it."""
    found = f"{len(gpus)} GPU" if gpus else "no GPU"
    if precision == "bf16" and not gpus:
        told = "train.precision bf16", "a GPU", found
        return Finding("problem", *told, "set train.precision to auto or fp32, or use a GPU")
    return Finding("ok", f"train.precision {precision}", "", found)


def check_freeze(precision: str, weight_bytes: int, gpus: Sequence[Gpu]) -> Finding:
    """Whether layers trained in float32 can compute with frozen ones of the base's precision."""
    if weight_bytes == 2 and (precision == "fp32" or not gpus):
        told = "freeze", "bf16 on a GPU, or a float32 base", "float32 beside a 16-bit base"
        return Finding("problem", *told, "set train.precision to auto and use a GPU, or train=lora")
    return Finding("ok", "freeze", "", "one precision")


def check_torch(installed: str | None, gpus: Sequence[Gpu]) -> Finding:
    """Whether PyTorch's build can use the GPU that is there."""
    found = installed or "missing"
    if gpus and "+cpu" in found:
        remedy = "it leaves the GPU idle: let pip take PyPI's build, then rm -r .venv && make env"
        return Finding("warning", "PyTorch's build", "CUDA", found, remedy)
    return Finding("ok", "PyTorch's build", "", found)


def check_package(name: str, pinned: str | None, installed: str | None) -> Finding:
    """Whether a package is there in the version of requirements.txt; None: any will do."""
    needed = pinned or "any version"
    if installed is None:
        return Finding("problem", name, needed, "missing", "make env")
    if pinned is not None and installed.partition("+")[0] != pinned:
        return Finding("warning", name, needed, installed, "make env")
    return Finding("ok", name, needed, installed)


def check_python(needed: tuple[int, int], found: tuple[int, int]) -> Finding:
    """Whether Python is new enough."""
    told = "Python", "{}.{} or newer".format(*needed), "{}.{}".format(*found)
    if found < needed:
        return Finding("problem", *told, "rm -r .venv && make PYTHON=python3.12 env")
    return Finding("ok", *told)


def check_vllm(
    python: Path, found: Vllm | None, pinned: str | None, gpus: Sequence[Gpu], variable: str
) -> Finding:
    """Whether vLLM's environment is there, of the pinned version, and built for this machine.

    Args:
        python: of that environment.
        found: what is installed there.
        pinned: the version in the requirements of its build; None: any will do.
        gpus: of this machine.
        variable: the environment's variable that points to another Python.
    """
    what, needed = "vLLM", f"{pinned or 'any version'}, for {'CUDA' if gpus else 'the CPU'}"
    if found is None:
        missing = f"{python}: no such file" if not python.exists() else f"none in {python}"
        remedy = f"make env (or point {variable} to another Python); or engine=transformers"
        return Finding("problem", what, needed, missing, remedy)
    told = what, needed, f"{found.version}, for {'the CPU' if found.for_cpu else 'CUDA'}"
    if gpus and found.for_cpu:
        return Finding("warning", *told, "it leaves the GPU idle: make VLLM=cuda env")
    if not gpus and not found.for_cpu:
        return Finding("problem", *told, "it does not start without a GPU: make VLLM=cpu env")
    if pinned is not None and found.version != pinned:
        return Finding("warning", *told, "make env")
    return Finding("ok", *told)


def check_hub(what: str, url: str, trouble: str | None, instead: str) -> Finding:
    """Whether the hub answers that `what` must be fetched from.

    Args:
        what: model or data.
        url: of the hub.
        trouble: see `hub_trouble`.
        instead: where else it could come from.
    """
    told = f"hub of the {what}", f"an answer from {url}"
    if trouble is None:
        return Finding("ok", *told, "it answers")
    remedy = "check the network, the proxy settings, and HF_ENDPOINT or MODELSCOPE_ENDPOINT; or "
    return Finding("problem", *told, f"no answer ({trouble})", remedy + instead)


def check_length(key: str, length: int, context: int) -> Finding:
    """Whether the model can read as many tokens as the setting `key` allows."""
    told = key, f"{context} at most", str(length)
    if length > context:
        remedy = f"lower {key} to model.context or less, or choose a model that reads more"
        return Finding("problem", *told, remedy)
    return Finding("ok", *told)


def check_path(key: str, path: Path, holds: str) -> Finding:
    """Whether the folder that the setting `key` names is there, with a file `holds` in it."""
    if not path.is_dir():
        return Finding("problem", key, "a folder", f"{path}: no such folder", f"correct {key}")
    if holds and not (path / holds).exists():
        return Finding("problem", key, holds, f"none in {path}", f"complete the folder or {key}")
    return Finding("ok", key, "a folder", str(path))


def _gb(size: int) -> str:
    return f"{size / GB:.1f} GB"
