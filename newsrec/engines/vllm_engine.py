"""vLLM, offline, in an environment and a process of its own.

One process per model: two models in one process is the commonest way to run out of GPU memory.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import gettempdir

from newsrec.copies import original
from newsrec.engines.advice import explain_vllm
from newsrec.engines.request import Request
from newsrec.engines.settings import VllmSettings
from newsrec.errors import UserError
from newsrec.models.weights import read_weights
from newsrec.places import is_plain, plain_path, writable_homes
from newsrec.processes import run_shown

PYTHON_VARIABLE = "NEWSREC_VLLM_PYTHON"
# Run as a file, not as a module: vLLM's environment knows no newsrec.
_ENVIRONMENT = ".venv-vllm"
_ROOT = Path(__file__).resolve().parents[2]
_WORKER = Path(__file__).with_name("vllm_worker.py")


def vllm_python() -> Path:
    """The Python of vLLM's environment.

    Where the variable points, else beside this environment, else where `make env` makes it; in the
    original checkout where this one is a copy.
    """
    if PYTHON_VARIABLE in os.environ:
        return original(Path(os.environ[PYTHON_VARIABLE]))
    beside = Path(sys.prefix).with_name(_ENVIRONMENT) / "bin/python"
    made = original(_ROOT) / _ENVIRONMENT / "bin/python"
    return beside if beside.exists() else made


def answer(settings: VllmSettings, model: Path, request: Request, target: Path, work: Path) -> None:
    """Answer every prompt with vLLM; see `newsrec.engines.answering.answer`.

    Raises:
        UserError: vLLM's environment is missing, the model is damaged, or vLLM ended with an error.
    """
    python = vllm_python()
    if not python.exists():
        raise UserError(
            f"{python}: no such file; expected the Python of vLLM's environment; create it with: "
            f"make -C {shlex.quote(str(original(_ROOT)))} env (or point {PYTHON_VARIABLE} to "
            "another one)"
        )
    read_weights(model)
    engine = asdict(settings)
    cpu_kv_cache_gib, batch_size = engine.pop("cpu_kv_cache_gib"), engine.pop("batch_size")
    log = work / "vllm.log"
    with _understood(python, model) as (python, model, places):
        job = {
            "model": str(model),
            "prompts": str(request.prompts),
            "answers": list(request.answers),
            "max_tokens": request.max_tokens,
            "target": str(target),
            "batch_size": batch_size,
            "engine": engine,
        }
        path = work / "request.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        env = {
            "VLLM_CPU_KVCACHE_SPACE": str(cpu_kv_cache_gib),
            "VLLM_LOGGING_LEVEL": "WARNING",
            # Its engine in a child of its own would outlive a stage killed with -9, and hold the
            # GPU.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            **places,
        }
        # -P: files beside the worker must not be imported in place of libraries of the same name.
        finished = run_shown([python, "-P", _WORKER, path], env, log)
    if finished.code != 0:
        raise UserError(explain_vllm(finished, log))


@contextmanager
def _understood(python: Path, model: Path) -> Iterator[tuple[Path, Path, dict[str, str]]]:
    """Paths and variables that vLLM understands, by links where they must be.

    It puts the path of its own libraries into LD_PRELOAD and, unquoted, into a compiler's command,
    as PyTorch does with that of its cache; and it looks for the weights by a glob.
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
