"""vLLM, offline, in a separate environment and process.

There is one process per model, as two models in one process easily run out of GPU memory.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from itertools import chain, islice
from pathlib import Path
from tempfile import gettempdir
from typing import IO, Any

import pyarrow as pa

from newsrec.chat.pieces import TOKEN_IDS
from newsrec.engines.advice import explain_vllm
from newsrec.engines.parts import DIGEST, Batch, Parts
from newsrec.engines.request import ClassRequest, Request
from newsrec.engines.settings import VllmSettings
from newsrec.errors import UserError
from newsrec.files import read_json, sha256_file
from newsrec.models.facts import count_parameters
from newsrec.models.folders import base_of
from newsrec.models.threads import threads_environment
from newsrec.models.weights import num_classes, read_weights
from newsrec.running.environments import python_of, require_python
from newsrec.running.places import is_plain, plain_path, writable_homes
from newsrec.running.processes import run_shown

PYTHON_VARIABLE = "NEWSREC_VLLM_PYTHON"
# Run as a file, not as a module: newsrec is not installed in vLLM's environment.
_ENVIRONMENT = ".venv-vllm"
_WORKER = Path(__file__).with_name("vllm_worker.py")
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # the maximum LoRA ranks that vLLM supports
_INSTALLED = "lib/python*/site-packages/vllm*.dist-info"
_STREAM = pa.schema([("token_ids", TOKEN_IDS), ("choices", pa.list_(pa.string()))])


def vllm_python() -> Path:
    """The Python of vLLM's environment; see `newsrec.running.environments.python_of`."""
    return python_of(_ENVIRONMENT, PYTHON_VARIABLE)


def require_vllm() -> Path:
    """The same, which must exist; see `newsrec.running.environments.require_python`."""
    return require_python(_ENVIRONMENT, PYTHON_VARIABLE, "vLLM's")


def answer(settings: VllmSettings, model: Path, request: Request, target: Path, work: Path) -> None:
    """Answer every prompt with vLLM; see `newsrec.engines.answering.answer`.

    Raises:
        UserError: vLLM's environment is missing, the model is damaged, or vLLM ended with an error.
    """
    job = {"answers": list(request.answers), "max_tokens": request.max_tokens}
    _run(settings, model, request, job, target, work)


def classify(
    settings: VllmSettings, model: Path, request: ClassRequest, target: Path, work: Path
) -> None:
    """Classify every text with vLLM; see `newsrec.engines.classifying.classify`.

    Raises:
        UserError: see `answer`.
    """
    _run(settings, model, request, {}, target, work)


def _run(
    settings: VllmSettings,
    model: Path,
    request: Request | ClassRequest,
    job: dict[str, Any],
    target: Path,
    work: Path,
) -> None:
    """Let the worker answer the prompts that are not answered yet; `job` has further settings."""
    python = require_vllm()
    base = base_of(model)
    read_weights(base or model)
    engine = asdict(settings) | (_beside(model) if base else {})
    cpu_kv_cache_gib, batch_size = engine.pop("cpu_kv_cache_gib"), engine.pop("batch_size")
    installed = sorted(path.name for path in python.parents[1].glob(_INSTALLED))
    versions = [*installed, sha256_file(_WORKER)]
    parts = Parts(work / "vllm", settings, model, request, versions)
    missing = parts.missing(batch_size)
    # Where nothing is answered yet, vLLM loads while the first batch is made.
    is_new = not parts.are_stored()
    first = [] if is_new else list(islice(missing, 1))
    if first or (is_new and len(request.prompts)):
        log = work / "vllm.log"
        with understood(python, base or model) as (python, whole, places):
            path = work / "request.json"
            named = {
                "model": str(whole),
                "adapter": str(model.absolute()) if base else None,
                "num_prompts": len(request.prompts),
            }
            draft = str(work / "vllm/draft")
            path.write_text(json.dumps({**named, **job, "draft": draft, "engine": engine}))
            env = {
                "VLLM_CPU_KVCACHE_SPACE": str(cpu_kv_cache_gib),
                "VLLM_LOGGING_LEVEL": "WARNING",
                # An engine in a child process would survive a stage killed with -9, and keep
                # the GPU occupied.
                "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
                # PyTorch would still compile a function of the sampler, for a second or more.
                **({"TORCH_COMPILE_DISABLE": "1"} if settings.enforce_eager else {}),
                **threads_environment(count_parameters(base or model)),
                **places,
            }
            # -P: files next to the worker must not be imported instead of libraries of the same
            # name.
            feed = partial(_write_stream, chain(first, missing), batch_size)
            finished = run_shown([python, "-P", _WORKER, path], env, log, feed)
        if finished.code != 0:
            raise UserError(explain_vllm(finished, log))
    parts.join(target)


def _beside(adapter: Path) -> dict[str, Any]:
    """Settings to run a classifier's LoRA adapter on its base model, with the adapter's head."""
    rank = read_json(adapter / "adapter_config.json")["r"]
    return {
        "convert": "classify",
        "hf_overrides": {"num_labels": num_classes(adapter)},
        "enable_lora": True,
        "max_lora_rank": min((one for one in _RANKS if one >= rank), default=rank),
    }


def _write_stream(batches: Iterable[Batch], size: int, sink: IO[bytes]) -> None:
    """Send the batches to the worker; each is made while it answers the previous one."""
    with pa.ipc.new_stream(sink, _STREAM) as stream:
        for batch in batches:
            choices = batch.choices or [()] * len(batch.ids)
            rows = pa.record_batch([batch.ids, pa.array(choices, _STREAM.field(1).type)], _STREAM)
            start = str(size * int(batch.part.stem))
            named = {DIGEST: batch.digest, "part": os.fsencode(batch.part), "start": start}
            stream.write_batch(rows, named)


@contextmanager
def understood(python: Path, model: Path) -> Iterator[tuple[Path, Path, dict[str, str]]]:
    """Paths and variables that work with vLLM, using links where necessary.

    vLLM puts the path of its own libraries into LD_PRELOAD and, unquoted, into a compiler command,
    as PyTorch does with the path of its cache; and it searches the weights with a glob pattern.
    """
    given = {**os.environ, **writable_homes()}
    home = Path(given.get("HOME") or Path.home())
    caches = Path(given.get("XDG_CACHE_HOME") or home / ".cache") / "vllm"
    compiled = Path(gettempdir()) / "torchinductor"
    folders = {"VLLM_CACHE_ROOT": caches, "TORCHINDUCTOR_CACHE_DIR": compiled}
    with ExitStack() as links:
        places = {}
        for name, default in folders.items():
            folder = Path(given.get(name) or default)
            if not is_plain(folder):
                folder.mkdir(parents=True, exist_ok=True)
                places[name] = str(links.enter_context(plain_path(folder)))
        environment = python.parents[1]
        linked = links.enter_context(plain_path(environment))
        model = links.enter_context(plain_path(model))
        yield linked / python.relative_to(environment), model, places
