"""The requirements of a pipeline's steps, each compared with this machine."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Literal, NamedTuple

from newsrec.engines.vllm_engine import PYTHON_VARIABLE, vllm_python
from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.models.shape import Shape, read_shape
from newsrec.params.sections import Score, SharedParams
from newsrec.preflight import machine, needs
from newsrec.preflight.machine import Memory
from newsrec.running.places import plain_path
from newsrec.training.advice import LIGHTER, memory_advice

Memories = list[Memory]
Step = Literal["model", "data", "train", "merge", "score"]

ROOT = Path(__file__).resolve().parents[2]
# Packages whose versions must fit together; the others are small, or are missed immediately.
PACKAGES = "accelerate adapters bitsandbytes datasets llamafactory peft torch transformers trl"
SMALLER = "choose a smaller model"


@dataclass(frozen=True)
class DataNeeds:
    """The requirements of a pipeline's own data, and their source."""

    disk: int  # bytes of archives, tables and samples, including DVC's copies
    hub: str | None = None  # huggingface or modelscope, if the data come from there
    instead: str = ""  # where else the data could come from


class Finding(NamedTuple):
    """The result of one check, with a remedy for a problem (it will fail) or warning (it may)."""

    what: str
    needed: str
    found: str
    remedy: str = ""
    problem: bool = False
    warning: bool = False

    @property
    def level(self) -> str:
        return "problem" if self.problem else "warning" if self.warning else "ok"

    @property
    def line(self) -> str:
        """The whole finding as one line of a message."""
        needed = f", {self.needed} needed" if self.needed else ""
        return f"{self.what}: {self.found}{needed}; {self.remedy}"


Findings = Iterator[Finding]
Model = tuple[Shape, int, str, needs.Options]


def examine(params: SharedParams, steps: set[Step], data: DataNeeds | None = None) -> Findings:
    """The requirements of the steps to run, each compared with this machine; scoring is last."""
    fetch, train, score = params.fetch_model, params.train, params.score
    path = Path(fetch.path) / "config.json"
    config = read_json(path) if fetch.source == "local" and path.exists() else {}
    weight_bytes = _weight_bytes(params.model.dtype, config)
    shape = params.model.shape or read_shape(config)
    model = (shape, weight_bytes, train.method, asdict(train)) if shape else None
    gpus = machine.gpus()

    yield from _places()
    if "model" in steps and fetch.source == "local":
        yield _path("fetch_model.path", path)
    elif "model" in steps and fetch.source != "tiny":
        yield _hub("model", fetch.source, "another fetch_model.source and revision, or model=local")
    if data and data.hub:
        yield _hub("data", data.hub, data.instead)
    lengths = {"train.cutoff_len": train.cutoff_len, "score.max_model_len": score.max_model_len}
    context = params.model.context or config.get("max_position_embeddings") or sys.maxsize
    for key, length in lengths.items():
        if key.split(".")[0] in steps:
            remedy = f"lower {key} to {context} or less, or choose a model with a longer context"
            yield Finding(key, f"{context} at most", str(length), remedy, length > context)
    if "train" in steps:
        # The layers that freeze trains in float32 do not work with frozen layers in 16 bits.
        freezes_16_bit = train.method == "freeze" and weight_bytes == 2
        half = train.precision in ("bf16", "fp16") or freezes_16_bit
        needs = f"{'fp16' if train.precision == 'fp16' else 'bf16'} on a GPU" if half else ""
        fails = half and (train.precision == "fp32" or not gpus)
        remedy = "use a GPU and train.precision=auto, or fp32 and (if train=freeze) train=lora"
        yield Finding("train.precision", needs, train.precision, remedy, fails)
        remedy = "let pip use the builds on PyPI, then rm -r .venv && make env"
        yield from _packages(PACKAGES, Path(sys.executable), "requirements.txt", gpus, remedy)
        yield from _tracker(train.report_to)
    if score.engine == "vllm":
        build = "cuda" if gpus else "cpu"
        remedy = f"make VLLM={build} env, {PYTHON_VARIABLE}=another/python, or engine=transformers"
        yield from _packages("vllm", vllm_python(), f"requirements-vllm-{build}.txt", gpus, remedy)
    yield from _disk(steps, model, data.disk if data else 0)
    if model is not None:
        yield from _memory(params, steps, model, gpus)
        # For float32 weights, `auto` means bfloat16 in vLLM.
        weight_bytes = _weight_bytes(score.dtype, {} if score.engine == "vllm" else config)
        yield _memory_to_score(score, model[0], weight_bytes, gpus)
    elif fetch.source != "tiny":
        yield Finding("memory", "not estimated", "a model of unknown shape")


def _places() -> Findings:
    """Whether DVC and the libraries can work in the project's path, and write temporary files."""
    path = str(Path.cwd())
    if set(path) & set("{}"):
        remedy = "DVC fails in a path with { or }: move the project"
        yield Finding("path of the project", "", path, remedy, problem=True)
    elif not path.isascii() or set(path) & set("#?\n"):
        remedy = "dvc exp run --queue and --temp fail in a path with #, ? or a non-ASCII character"
        yield Finding("path of the project", "", path, remedy, warning=True)
    try:
        with plain_path(Path()):
            pass
    except UserError as error:
        yield Finding("path of the project", "a link to it", "none", str(error), problem=True)
    temporary, least = Path(gettempdir()), needs.GB // 10
    free = shutil.disk_usage(temporary).free
    if free < least:
        remedy = "free some space, or set TMPDIR to another folder"
        what, found = f"temporary files in {temporary}", f"{_gb(free)} free"
        yield Finding(what, _gb(least), found, remedy, warning=True)


def _weight_bytes(dtype: str, config: dict[str, Any]) -> int:
    name = config.get("dtype", config.get("torch_dtype")) if dtype == "auto" else dtype
    return 4 if name in ("float32", "float") else 2


def _path(key: str, path: Path) -> Finding:
    found = f"{path}" if path.exists() else f"{path}: not found"
    return Finding(key, "", found, f"correct {key}", problem=not path.exists())


def _hub(what: str, source: str, instead: str) -> Finding:
    url, trouble = machine.ask_hub(source)
    found = f"no answer ({trouble})" if trouble else "it answers"
    remedy = f"check the network, proxies, HF_ENDPOINT or MODELSCOPE_ENDPOINT; or {instead}"
    return Finding(f"hub of the {what}", f"an answer from {url}", found, remedy, bool(trouble))


def _packages(names: str, python: Path, file: str, gpus: Memories, remedy: str) -> Findings:
    """Whether the packages have the pinned versions, and use the GPU if there is one."""
    pins, packages = machine.versions((ROOT / file).read_text()), machine.packages(python)
    for name in names.split():
        pin, found = pins[name], packages.get(name, f"missing in {python}")
        other = found.partition("+")[0] != pin.partition("+")[0]
        idle = bool(gpus) and "+cpu" in found
        fails = name not in packages or ("+cpu" in pin and "+cpu" not in found)
        yield Finding(name, pin, found, "the GPU is unused: " * idle + remedy, fails, other or idle)


def _tracker(name: str) -> Findings:
    """Whether the tracker that the training reports to is installed; it is not pinned."""
    if name == "none":
        return
    found = machine.packages(Path(sys.executable)).get(name, f"missing in {sys.executable}")
    remedy = f"install it: {sys.executable} -m pip install {name}; or set train.report_to=none"
    yield Finding("train.report_to", name, found, remedy, found.startswith("missing"))


def _disk(steps: set[Step], model: Model | None, work: int) -> Findings:
    outputs = 0
    if model and "model" in steps:
        outputs += model[0].num_parameters_on_disk * model[1]
    if model and "train" in steps:
        outputs += needs.model_trained(*model)
        work += needs.disk_for_checkpoints(*model)
    if model and "merge" in steps:
        outputs += needs.disk_for_merged(*model)
    cache, copies = machine.dvc_cache()
    needed = {Path(): work + copies * outputs}
    needed[cache] = needed.get(cache, 0) + outputs
    links = "avoid DVC's copies (dvc config cache.type reflink,hardlink,symlink,copy); or "
    for folder, size in needed.items():
        what, free = f"disk of {folder.absolute()}", shutil.disk_usage(folder).free
        remedy = f"free {_gb(size - free)}; or {links * copies}{SMALLER}"
        yield Finding(what, _gb(size), f"{_gb(free)} free", remedy, problem=size > free)


def _memory(params: SharedParams, steps: set[Step], model: Model, gpus: Memories) -> Findings:
    train, ram, billions = params.train, machine.ram(), model[0].num_parameters / 10**9
    found = ", ".join(gpu.device for gpu in gpus) or "none (nvidia-smi, CUDA_VISIBLE_DEVICES)"
    remedy = f"{billions:.1f} billion parameters take days on the CPU: use a GPU, or {SMALLER}"
    yield Finding("GPU", "", found, remedy, warning=not gpus and billions > 1)
    if "train" in steps:
        num = 1 if gpus else train.processes  # each has a whole copy, and its share of a batch
        needed = needs.memory_to_train(*model, train.batch_size // num, train.cutoff_len)
        needed = num * (needed + (needs.CUDA if gpus else needs.PROCESS))
        least = min(gpus, key=lambda gpu: gpu.free, default=ram)  # every GPU has a whole copy
        advice = memory_advice(params.trained_as), f"choose {LIGHTER[params.trained_as]}"
        weights = num * needs.weights_to_train(*model)
        yield _fits(f"train ({train.method})", needed, weights, least, *advice)
    if "merge" in steps:
        size = needs.ram_to_merge(*model[:3])
        yield _fits("load and merge", size + needs.PROCESS, size, ram)


def _memory_to_score(score: Score, shape: Shape, weight_bytes: int, gpus: Memories) -> Finding:
    weights, length = shape.num_parameters * weight_bytes, score.max_model_len
    memory, beside = (gpus[0], needs.CUDA) if gpus else (machine.ram(), needs.PROCESS)
    if score.engine == "openai-api" and score.api_server == "url":
        return Finding("memory to score", "", "the server's")
    if score.engine == "vllm" and gpus:
        least = needs.memory_to_score_vllm(shape, weight_bytes, length)
        key = "score.gpu_memory_utilization"
        share = int(memory.total * score.gpu_memory_utilization)
        less = f"lower {key}: vLLM takes its whole share at start"
        if least > share:
            less = f"raise {key}, lower score.max_model_len, set score.enforce_eager, or {SMALLER}"
        own = Memory(memory.device, share, min(share, memory.free))
        other = f"raise {key}, or " * (weights <= memory.total) + SMALLER
        return _fits("score", max(least, share), weights, own, less, other)
    knob, needed = "score.cpu_kv_cache_gib", weights + score.cpu_kv_cache_gib * 2**30
    if score.engine != "vllm":
        # LLaMA-Factory's server answers one prompt at a time.
        batch = 1 if score.engine == "openai-api" else score.batch_size
        knob = "score.batch_size"
        needed = needs.memory_to_score_transformers(shape, weight_bytes, batch, length)
    return _fits("score", needed + beside, weights, memory, f"lower {knob}, or {SMALLER}")


def _fits(
    step: str, needed: int, weights: int, memory: Memory, less: str = SMALLER, other: str = SMALLER
) -> Finding:
    """Whether the estimated peak of a step, which `less` lowers, and its weights alone fit."""
    what = f"{'RAM' if memory.device == 'RAM' else 'GPU memory'} to {step}"
    remedy = "end other programs that use it, or " * (needed <= memory.total) + less
    if fails := weights > memory.total:
        remedy = f"the weights alone take {_gb(weights)}: {other}"
    found = f"{_gb(memory.free)} free of {_gb(memory.total)}"
    return Finding(what, _gb(needed), found, remedy, fails, needed > memory.free)


def _gb(size: int) -> str:
    return f"{size / needs.GB:.1f} GB"
