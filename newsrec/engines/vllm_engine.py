"""vLLM, offline, in an environment and a process of its own.

One process per model: two models in one process is the commonest way to run out of GPU memory.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from newsrec.engines.advice import explain_vllm
from newsrec.engines.request import Request
from newsrec.engines.settings import VllmSettings
from newsrec.errors import UserError
from newsrec.processes import run_shown

PYTHON_VARIABLE = "NEWSREC_VLLM_PYTHON"
# Run as a file, not as a module: vLLM's environment knows no newsrec.
_WORKER = Path(__file__).with_name("vllm_worker.py")


def vllm_python() -> Path:
    """The Python of vLLM's environment: where the variable points, else beside this one."""
    beside = Path(sys.prefix).with_name(".venv-vllm") / "bin/python"
    return Path(os.environ.get(PYTHON_VARIABLE, beside))


def answer(settings: VllmSettings, model: Path, request: Request, target: Path, work: Path) -> None:
    """Answer every prompt with vLLM; see `newsrec.engines.answering.answer`.

    Raises:
        UserError: vLLM's environment is missing, or it ended with an error.
    """
    python = vllm_python()
    if not python.exists():
        raise UserError(
            f"{python}: no such file; expected the Python of vLLM's environment; create it with: "
            f"make env (or point {PYTHON_VARIABLE} to another one)"
        )
    engine = asdict(settings)
    cpu_kv_cache_gib, batch_size = engine.pop("cpu_kv_cache_gib"), engine.pop("batch_size")
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
        # Its engine in a child of its own would outlive a stage killed with -9, and hold the GPU.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }
    log = work / "vllm.log"
    # -P: files beside the worker must not be imported in place of libraries of the same name.
    finished = run_shown([python, "-P", _WORKER, path], env, log)
    if finished.code != 0:
        raise UserError(explain_vllm(finished, log))
