"""Scoring by vLLM, offline, in an environment and a process of its own.

One process per model: two models in one process is the commonest way to run out of GPU memory.
"""

import json
import os
from pathlib import Path

from newsrec.engines.request import AnswerTokens
from newsrec.errors import UserError
from newsrec.processes import Finished, run_shown

PYTHON_VARIABLE = "NEWSREC_VLLM_PYTHON"
_DEFAULT_PYTHON = Path(".venv-vllm/bin/python")


def score(
    model: Path,
    prompts: Path,
    answers: Path,
    tokens: AnswerTokens,
    *,
    work: Path,
    dtype: str,
    max_model_len: int,
    max_answer_tokens: int,
    gpu_memory_utilization: float,
    cpu_kv_cache_gib: int,
    enforce_eager: bool,
    batch_size: int,
    seed: int,
) -> None:
    """Answer every prompt with the model and write the answers in the same order.

    Args:
        model: folder of a Hugging Face model.
        prompts: Parquet file of `PROMPTS_SCHEMA`.
        answers: Parquet file to write, of `ANSWERS_SCHEMA`.
        tokens: the two tokens whose log-probabilities are wanted.
        work: for the request and the log.
        dtype: vLLM's: `auto` takes the model's own.
        max_model_len: tokens of a prompt and its answer.
        max_answer_tokens: of the text answer, decoded greedily.
        gpu_memory_utilization: share of the GPU's memory to use.
        cpu_kv_cache_gib: memory for the cache where there is no GPU.
        enforce_eager: start sooner, run slower.
        batch_size: prompts given to the engine at once; bounds the memory for answers.
        seed: of the engine; greedy answers do not depend on it.

    Raises:
        UserError: vLLM's environment is missing, or it ended with an error.
    """
    python = Path(os.environ.get(PYTHON_VARIABLE, _DEFAULT_PYTHON))
    if not python.exists():
        raise UserError(
            f"{python}: no such file; expected the Python of vLLM's environment; create it with: "
            f"make env (or point {PYTHON_VARIABLE} to another one)"
        )
    request = {
        "model": str(model),
        "prompts": str(prompts),
        "answers": str(answers),
        "token_yes": tokens.yes,
        "token_no": tokens.no,
        "max_answer_tokens": max_answer_tokens,
        "batch_size": batch_size,
        "engine": {
            "dtype": dtype,
            "max_model_len": max_model_len,
            "gpu_memory_utilization": gpu_memory_utilization,
            "enforce_eager": enforce_eager,
            "seed": seed,
        },
    }
    path = work / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    env = {
        "VLLM_CPU_KVCACHE_SPACE": str(cpu_kv_cache_gib),
        "VLLM_LOGGING_LEVEL": "WARNING",
        # Its engine in a child of its own would outlive a stage killed with -9, and hold the GPU.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }
    log = work / "vllm.log"
    finished = run_shown([python, "-m", "newsrec.engines.vllm_worker", path], env, log)
    if finished.code != 0:
        raise UserError(_explain(finished, log))


def _explain(finished: Finished, log: Path) -> str:
    if finished.says("KV cache", "max seq len") and finished.says("max_model_len"):
        knobs = "raise score.cpu_kv_cache_gib or score.gpu_memory_utilization, or lower "
        return f"vLLM has no room for one prompt; {knobs}score.max_model_len (log: {log})"
    if finished.ran_out_of_memory or finished.says("Free memory on device"):
        return (
            "vLLM ran out of memory; free the GPU of other processes (nvidia-smi), then lower, in "
            "this order: score.gpu_memory_utilization, score.max_model_len, score.cpu_kv_cache_gib"
            f"; or choose a smaller model (log: {log})"
        )
    return f"vLLM ended with exit code {finished.code}: {finished.last_line} (log: {log})"
