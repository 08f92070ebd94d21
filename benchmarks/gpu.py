"""Training, merging and scoring in the shapes of Qwen3-8B on one GPU, beside what bounds them.

Random weights and made-up text: nothing comes from a network. Every figure of speed has its rival:

- train: LoRA by the project's own trainer, steps of 16 samples: the published settings (batch 1,
  16 parts a step, eager attention, activations computed again) against one batch of 16 that keeps
  its activations, on the same samples in the same order; and the same with samples of like length
  together. A share of the peak counts 4 operations a token for each parameter in a matrix product:
  2 to compute, 2 for the gradients of activations; a frozen weight has none of its own.
- merge: the stage's work against a copy of the files and loading them.
- score: whole impressions by vLLM, against the same prompts without shared beginnings, and against
  2 operations for each parameter and unique prompt token.

The peak is what a large product of bfloat16 matrices reaches on the same GPU. The doctor's formula
for memory is compared with what torch says.

Run     python -m benchmarks.gpu          (40 GB of disk; --tiny: tiny shapes, which prove that
        this works and measure nothing)
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.document import save
from benchmarks.gpu_training import GROUPED, OURS, PUBLISHED, SAMPLES_A_STEP, options, train_steps
from benchmarks.rows import GPU_ROWS, Row, limited
from benchmarks.shapes import (
    NUM_CANDIDATES,
    TINY,
    impressions,
    num_unique_tokens,
    without_shared_beginnings,
    write_samples,
)
from benchmarks.side_by_side import run_once
from newsrec.chat.tokens import encode_chat, first_tokens, load_tokenizer
from newsrec.engines import vllm_engine
from newsrec.engines.request import FewPrompts, Request
from newsrec.engines.settings import VllmSettings
from newsrec.errors import UserError
from newsrec.files import read_json
from newsrec.models.shape import Shape
from newsrec.news.prompts import NO, YES
from newsrec.params.compose import compose
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.preflight.needs import memory_to_train
from newsrec.report.tables import markdown_table
from newsrec.running.stage import run_program
from newsrec.training.same_tokens import check_same_tokens

MERGE_BOUND = "the check of the logits and of rounding, on the CPU"


class Bench:
    """One run of everything, in `folder`, which keeps the model for the next run."""

    def __init__(self, folder: Path, tiny: bool, num_steps: int, num_impressions: int) -> None:
        with TemporaryDirectory() as place:
            compose(Path(place) / "params.yaml", ["model=qwen3-8b"])
            params = load_params(SharedParams, Path(place) / "params.yaml")
        assert params.model.shape is not None
        self.folder = folder / ("tiny" if tiny else "8b")
        self.tiny, self.num_steps = tiny, num_steps
        self.num_impressions, self.recipe = num_impressions, params.train
        self.shape: Shape = TINY if tiny else params.model.shape
        self.dtype = "float32" if tiny else "bfloat16"
        self.base, self.rows = self.folder / "base", list[Row]()
        shown = json.dumps(asdict(self.shape))
        self.way("build", "--shape", shown, "--dtype", self.dtype)
        self.peak = self.way("peak")[0]["operations_per_second"]

    def way(self, name: str, *options: str) -> tuple[dict[str, Any], int]:
        """What a way of `benchmarks.gpu_ways` reported, and its peak of RAM in bytes."""
        words = [sys.executable, "-m", "benchmarks.gpu_ways", name, str(self.folder), *options]
        return run_once(name, words)

    def train(self) -> None:
        """The rows of training."""
        samples = write_samples(self.folder / "data", self.num_steps * SAMPLES_A_STEP, 16)
        longest = check_same_tokens(
            self.base, samples.file("train"), "qwen3", self.recipe.cutoff_len, 16
        )
        given = self.folder, samples, self.recipe, self.num_steps
        published, ours = train_steps(*given, PUBLISHED), train_steps(*given, OURS)
        grouped = ours if self.tiny else train_steps(*given, GROUPED)
        off = max(abs(a - b) / b for a, b in zip(ours.losses, published.losses, strict=True))
        work = f"LoRA, steps of {SAMPLES_A_STEP} samples of at most {longest} tokens"
        rival = f"batch 1 x {SAMPLES_A_STEP}, eager: {published.tokens_per_second:,.0f} tokens/s"
        grouped_work = f"{work}, of similar length together"
        for name, shown, found in (
            ("train", f"{work}; the loss differs by {off:.1e} at most", ours),
            ("train_grouped", grouped_work, grouped),
        ):
            times = found.tokens_per_second / published.tokens_per_second
            self.add(name, shown, f"{found.tokens_per_second:,.0f} tokens/s", rival, times)
        embeddings = self.shape.vocab_size * self.shape.hidden_size
        operations = 4 * (self.shape.num_parameters - embeddings) * grouped.tokens_per_second
        ours_shown, peak_shown = self.beside_peak(operations)
        share = 100 * operations / self.peak
        self.add("train_peak", grouped_work, ours_shown, peak_shown, share)
        for shown, batch, kept, found in (
            (f"batch 1 x {SAMPLES_A_STEP}", 1, False, published),
            (f"batch {SAMPLES_A_STEP}, activations kept", SAMPLES_A_STEP, True, ours),
        ):
            own = options(self.recipe) | {"gradient_checkpointing": not kept}
            expected = memory_to_train(
                self.shape, 4 if self.tiny else 2, "lora", own, batch, longest
            )
            self.add(
                "memory",
                f"memory to train, {shown}, at most {longest} tokens",
                f"doctor: {expected / 1e9:.2f} GB",
                f"measured: {found.peak_memory / 1e9:.2f} GB",
                expected / found.peak_memory,
            )

    def merge(self) -> None:
        """The rows of merging, which is done on the CPU."""
        copied, _ = self.way("copy")
        merged, ram = self.way("merge")
        size = sum(path.stat().st_size for path in self.base.glob("*.safetensors"))
        work = f"merge of {size / 1e9:.2f} GB, checked"
        rival = f"copying and loading: {copied['seconds']:.1f} s"
        times = merged["seconds"] / copied["seconds"]
        self.add("merge", work, f"{merged['seconds']:.1f} s", rival, times, MERGE_BOUND)
        rival = f"size of the model: {size / 1e9:.2f} GB"
        self.add("merge_memory", f"{work}, peak memory", f"{ram / 1e9:.2f} GB", rival, ram / size)

    def score(self) -> None:
        """The rows of scoring: both ways in one start of vLLM, in batches of its worker.

        A first batch warms up and counts nowhere.
        """
        tokenizer = load_tokenizer(self.base)
        batch = max(1, self.num_impressions // 8) * NUM_CANDIDATES
        chats = impressions(self.num_impressions)
        chats = chats[: len(chats) // batch * batch]
        shared = [encode_chat(tokenizer, chat) for chat in chats]
        apart = without_shared_beginnings(shared + shared[:batch], len(tokenizer))
        order = apart[-batch:] + shared + apart[:-batch]
        work = self.folder / "score"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        tokens = first_tokens(tokenizer, chats[0], (YES, NO))
        request = Request(FewPrompts(order), tokens, 1)
        settings = VllmSettings(
            dtype=self.dtype,
            max_model_len=self.recipe.cutoff_len,
            gpu_memory_utilization=0.9,
            cpu_kv_cache_gib=1,
            enforce_eager=self.tiny,
            batch_size=batch,
            seed=1,
        )
        # Which runs the engine's own worker, and takes the time.
        vllm_engine._WORKER = Path(__file__).with_name("vllm_timed_worker.py")
        vllm_engine.answer(settings, self.base, request, work / "answers.parquet", work)
        seconds = read_json(work / "seconds.json")["seconds"]
        num_batches = len(shared) // batch
        ours, rival = sum(seconds[1 : 1 + num_batches]), sum(seconds[1 + num_batches :])
        num_tokens, num_unique = sum(map(len, shared)), num_unique_tokens(shared)
        name = f"{len(chats):,} prompts of whole impressions, {num_tokens:,} tokens"
        self.add(
            "score",
            name,
            f"{len(chats) / ours:,.0f} prompts/s",
            f"vLLM without shared prefixes: {len(chats) / rival:,.0f} prompts/s",
            rival / ours,
        )
        operations = 2 * self.shape.num_parameters * num_unique / ours
        ours_shown, peak_shown = self.beside_peak(operations)
        work_shown = f"{name}, {num_unique:,} of them unique"
        self.add("score_peak", work_shown, ours_shown, peak_shown, operations / self.peak)

    def add(
        self, name: str, work: str, ours: str, rival: str, figure: float, bound: str = ""
    ) -> None:
        """Append a row of the table.

        Args:
            name: of `GPU_ROWS`, which has its goal and unit.
            work: and the rest: see `Row`.
            ours: with its unit.
            rival: with its unit.
            figure: which the goal limits.
            bound: what keeps the goal from being reached, for a row that misses it.
        """
        row = replace(GPU_ROWS[name], work=work, ours=ours, rival=rival, figure=figure)
        self.rows.append(limited(bound, row))

    def beside_peak(self, operations: float) -> tuple[str, str]:
        """Operations a second, and the measured peak, as shown."""
        peak = f"a large matrix product: {self.peak / 1e12:.3g} TFLOP/s"
        return f"{operations / 1e12:.3g} TFLOP/s", peak


def measure(arguments: Sequence[str]) -> list[Row]:
    """Run the benchmark; what it found, row by row.

    Raises:
        UserError: there is no GPU, and --tiny was not given.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="tiny shapes; no figure is kept")
    parser.add_argument("--folder", type=Path, default=Path(".work/gpu"), help="model and results")
    parser.add_argument("--steps", type=int, default=20, help="of training, by each setting")
    parser.add_argument("--impressions", type=int, default=300, help="to score")
    given = parser.parse_args(arguments)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # one GPU, where there are several
    if not given.tiny and not torch.cuda.is_available():
        raise UserError(
            "there is no GPU that PyTorch can use, and a figure of one is never estimated; run "
            "this where there is one, or try the tiny shapes: --tiny"
        )
    bench = Bench(given.folder, given.tiny, given.steps, given.impressions)
    bench.train()
    bench.merge()
    bench.score()
    if not given.tiny:
        save("gpu", bench.rows, rounds=1, device=torch.cuda.get_device_name())
    return bench.rows


def main() -> None:
    rows = measure(sys.argv[1:])
    cells = [(row.work, row.ours, row.rival, row.shown, row.shown_goal) for row in rows]
    print(markdown_table(("work", "newsrec", "compared with", "result", "goal"), "<<<>>", cells))


if __name__ == "__main__":
    run_program(main)
