"""How long a merge takes, and how much memory, on a model of 1 GB of random weights.

- ours: as the stage does it, with its check of the logits and of what rounding costs;
- PEFT's plain merge: load, merge, save, no check;
- the least: load the base, and copy its files.

Run     python -m benchmarks.merge [--rounds 3]
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from benchmarks.document import save
from benchmarks.gpu_ways import WAYS, build
from benchmarks.rows import Row, limited
from benchmarks.side_by_side import run_alternately, run_once
from newsrec.models.shape import Shape
from newsrec.running.stage import run_program

FOLDER = Path(".work/benchmarks/merge")
# 0.5 billion parameters in bfloat16; Qwen3-0.6B is as wide.
SHAPE = Shape(
    hidden_size=1024,
    num_hidden_layers=28,
    intermediate_size=3072,
    num_attention_heads=16,
    num_key_value_heads=8,
    head_dim=128,
    vocab_size=60_000,
    tie_word_embeddings=True,
)
# What a profile showed.
CHECK = (
    "the check: three passes of its prompts took 28 % of the time of a profile, moving every "
    "weight by one rounding 29 %, merging and saving 35 %"
)
MEMORY = "Python with PyTorch and PEFT, 0.6 GB before a weight is read"


def write_adapter(base: Path, target: Path) -> None:
    """A LoRA adapter beside every linear layer, its weights drawn at random."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    config = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(target)


def plain(folder: Path) -> dict[str, float]:
    """PEFT's own merge."""
    began = time.perf_counter()
    base = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.bfloat16)
    merged = PeftModel.from_pretrained(base, str(folder / "adapter")).merge_and_unload()
    merged.save_pretrained(folder / "plain", safe_serialization=True)
    return {"seconds": time.perf_counter() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=["build", "plain", "copy", "merge"])
    given = parser.parse_args()
    if given.way == "build":
        report = build(FOLDER, SHAPE, "bfloat16")
        write_adapter(FOLDER / "base", FOLDER / "adapter")
        print(json.dumps(report))
    elif given.way:
        way = plain if given.way == "plain" else WAYS[given.way]
        print(json.dumps(way(FOLDER)))
    else:
        compare(given.rounds)


def compare(rounds: int) -> None:
    """Measure all ways, and write the results."""
    command = [sys.executable, "-m", "benchmarks.merge", "--way"]
    run_once("build", [*command, "build"])
    found = run_alternately({way: [*command, way] for way in ("copy", "plain", "merge")}, rounds)
    ours, least, peft = found["merge"], found["copy"], found["plain"]
    size = sum(path.stat().st_size for path in (FOLDER / "base").glob("*.safetensors"))
    work, seconds = f"merge of {size / 1e9:.2f} GB, checked", f"{ours.median:.1f} s"
    rows = [
        Row(
            work, seconds, f"loading and copying: {least.median:.1f} s",
            ours.median / least.median, 2, at_most=True,
        ),
        Row(
            work, seconds, f"PEFT's merge, not checked: {peft.median:.1f} s",
            ours.median / peft.median, 2, at_most=True,
        ),
        Row(
            f"{work}, peak memory", f"{ours.peak_bytes / 1e9:.2f} GB",
            f"size of the model: {size / 1e9:.2f} GB; loading and copying: "
            f"{least.peak_bytes / 1e9:.2f} GB",
            ours.peak_bytes / size, 1.15, at_most=True,
        ),
    ]  # fmt: skip
    apart = f"PEFT's merge alone takes {peft.median / least.median:.0f} times as long as loading"
    bounds = (f"{apart} and copying, and the check is added", CHECK, MEMORY)
    save("merge", [limited(bound, row) for bound, row in zip(bounds, rows, strict=True)], rounds)


if __name__ == "__main__":
    run_program(main)
