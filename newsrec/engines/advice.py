"""Advice for a user whose engine failed."""

from pathlib import Path

from newsrec.running.disks import FREE_SOME
from newsrec.running.processes import Finished


def explain_vllm(finished: Finished, log: Path) -> str:
    """Why vLLM ended and what to do about it, in one line."""
    if finished.printed("KV cache", "max seq len") and finished.printed("max_model_len"):
        knobs = "raise score.cpu_kv_cache_gib or score.gpu_memory_utilization, or lower "
        return f"vLLM's cache is too small for one prompt; {knobs}score.max_model_len (log: {log})"
    if finished.ran_out_of_memory or finished.printed("Free memory on device"):
        return (
            "vLLM ran out of memory; end other processes on the GPU (nvidia-smi), then lower, in "
            "this order: score.gpu_memory_utilization, score.max_model_len, score.cpu_kv_cache_gib"
            f"; or choose a smaller model (log: {log})"
        )
    if finished.ran_out_of_disk:
        return f"vLLM found no space left on the disk; {FREE_SOME} (log: {log})"
    return f"vLLM ended with exit code {finished.code}: {finished.last_line} (log: {log})"


def explain_server(what: str, finished: Finished, log: Path) -> str:
    """Why a server ended and what to do about it, in one line."""
    if finished.ran_out_of_memory:
        return (
            f"{what} ran out of memory; end other processes on the GPU (nvidia-smi), set "
            f"score.dtype: bfloat16, or choose a smaller model (log: {log})"
        )
    if finished.ran_out_of_disk:
        return f"{what} found no space left on the disk; {FREE_SOME} (log: {log})"
    return f"{what} ended with exit code {finished.code}: {finished.last_line} (log: {log})"
