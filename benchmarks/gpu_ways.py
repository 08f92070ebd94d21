"""The parts of benchmarks/gpu.py that run in a process of their own, for a GPU or RAM of their own.

    python -m benchmarks.gpu_ways build FOLDER --shape '{"hidden_size": ...}' --dtype bfloat16
    python -m benchmarks.gpu_ways peak|copy|merge FOLDER

Each ends with a line of JSON that has `seconds`.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.benchmark import Timer

from benchmarks.shapes import impressions, write_model
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.files import atomic_folder
from newsrec.models.loading import load_model
from newsrec.models.merging import merge_adapter
from newsrec.models.shape import Shape
from newsrec.running.stage import run_program

Report = dict[str, float]
NUM_PROMPTS = 4  # that merge compares, as conf/shared.yaml says


def build(folder: Path, shape: Shape, dtype: str) -> Report:
    """Write the model; once, for the folder is kept where it is there."""
    began = time.perf_counter()
    if not (folder / "base").exists():
        with atomic_folder(folder / "base") as draft:
            write_model(draft, shape, getattr(torch, dtype))
    return {"seconds": time.perf_counter() - began}


def peak(folder: Path) -> Report:
    """Operations a second of a large product of matrices, in the precision that is trained in."""
    on_gpu = torch.cuda.is_available()
    device, width = ("cuda", 8192) if on_gpu else ("cpu", 512)
    dtype = torch.bfloat16 if on_gpu else torch.float32
    one, other = (torch.randn(width, width, device=device, dtype=dtype) for _ in range(2))
    timer = Timer("one @ other", globals={"one": one, "other": other})
    seconds = timer.blocked_autorange(min_run_time=2.0 if on_gpu else 0.2).median
    return {"seconds": seconds, "operations_per_second": 2 * width**3 / seconds}


def copy(folder: Path) -> Report:
    """The least that a merge does: read the base into memory, and write as many bytes."""
    began = time.perf_counter()
    load_model(folder / "base", "auto")
    shutil.copytree(folder / "base", folder / "copy", dirs_exist_ok=True)
    seconds = time.perf_counter() - began
    shutil.rmtree(folder / "copy")
    return {"seconds": seconds}


def merge(folder: Path) -> Report:
    """As the stage does it, its check of the logits included."""
    tokenizer = load_tokenizer(folder / "base")
    prompts = [encode_chat(tokenizer, chat) for chat in impressions(1)[:NUM_PROMPTS]]
    shutil.rmtree(folder / "merged", ignore_errors=True)
    (folder / "merged").mkdir()
    began = time.perf_counter()
    merge_adapter(folder / "base", folder / "adapter", folder / "merged", prompts, "4GB")
    return {"seconds": time.perf_counter() - began}


WAYS: dict[str, Callable[[Path], Report]] = {"peak": peak, "copy": copy, "merge": merge}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=["build", *WAYS])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", type=json.loads)
    parser.add_argument("--dtype")
    given = parser.parse_args()
    if given.way == "build":
        report = build(given.folder, Shape(**given.shape), given.dtype)
    else:
        report = WAYS[given.way](given.folder)
    print(json.dumps(report))


if __name__ == "__main__":
    run_program(main)
