"""Whole impressions answered by a tiny model on the CPU: ours, and the other ways.

- ours: vLLM as the stage `score` runs it; prompts with a shared beginning side by side
- no prefixes: the same without vLLM's prefix cache
- server: LLaMA-Factory's API, prompt by prompt
- the floor: tokens that no prompt before them began with, times two operations for each parameter
  but those of the embedding, at the speed of a large product of matrices

Ours is also run on ten times as many prompts and on fewer. Seconds are those between the first
batch and the last, scaled to all: without the start of an engine. The server answers a part.

Run     python -m benchmarks.scoring [--impressions 300] [--rounds 3]
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import torch
from torch.utils.benchmark import Timer

from benchmarks.candidates import NUM_CANDIDATES, unique_tokens, write_candidates
from benchmarks.document import save
from benchmarks.rows import Row, limited
from benchmarks.side_by_side import run_alternately, run_once
from newsrec.chat.tokens import first_tokens, load_tokenizer
from newsrec.engines import vllm_engine
from newsrec.engines.api_engine import Endpoint, complete_all
from newsrec.engines.api_server import llamafactory_server
from newsrec.engines.request import FewPrompts, Request
from newsrec.engines.settings import ApiSettings, VllmSettings
from newsrec.files import atomic_folder
from newsrec.models.loading import load_model
from newsrec.models.tiny import build_tiny
from newsrec.news.candidate_prompts import CandidatePrompts, nothing_shown
from newsrec.news.corpus import examples
from newsrec.news.prompts import NO, YES
from newsrec.running.stage import run_program

WORK = Path(".work/benchmarks")
MODEL = WORK / "tiny"  # as conf/model/tiny.yaml, hardly trained: speed does not depend on that
MAX_LENGTH = 1088
NUM_BATCHES = 10  # at most; the first one is not measured
API = ApiSettings(
    server="llamafactory", template="qwen3", dtype="float32", port=8123, top_logprobs=0,
    concurrency=1, max_tries=3, timeout=120, turns_thinking_off=False,
)  # fmt: skip
NUM_ASKED = 100  # prompts, by the server
# Each with its goal, and what keeps it from being reached.
RIVALS = {
    "server": (
        f"LLaMA-Factory's server, prompt by prompt, scaled from {NUM_ASKED}",
        25.0,
        "vLLM's own steps and the tokens that are not shared: 1.5 ms per prompt on one thread",
    ),
    "no prefixes": (
        "vLLM without shared prefixes",
        3.0,
        "on a CPU vLLM caches blocks of 32 tokens, and these prompts share only a few blocks",
    ),
    "floor": (
        "unique tokens at the speed of matrix products",
        0.5,
        "the goal is meant for a GPU; with 0.3 million parameters vLLM's own steps take the time",
    ),
}
_CACHING = "enable_prefix_caching=True"


def by_vllm(path: Path, work: Path) -> float:
    """Seconds of all prompts but the first batch, scaled to all."""
    num_prompts = pq.read_metadata(path).num_rows
    batch_size = max(NUM_CANDIDATES, num_prompts // NUM_BATCHES)
    settings = VllmSettings("float32", MAX_LENGTH, 0.9, 1, True, batch_size, 42)
    prompts = CandidatePrompts(load_tokenizer(MODEL), [path], MAX_LENGTH - 1)
    tokens = first_tokens(load_tokenizer(MODEL), nothing_shown(), (YES, NO))
    vllm_engine.answer(settings, MODEL, Request(prompts, tokens, 1), work / "answers.parquet", work)
    written = sorted(part.stat().st_mtime for part in (work / "vllm").glob("*.parquet"))
    return (written[-1] - written[0]) * len(written) / (len(written) - 1)


def without_prefixes(path: Path, work: Path) -> float:
    """The same by a worker whose vLLM caches no prefixes."""
    text = vllm_engine._WORKER.read_text(encoding="utf-8")
    assert _CACHING in text
    worker = work / "worker.py"
    worker.write_text(text.replace(_CACHING, "enable_prefix_caching=False"), encoding="utf-8")
    vllm_engine._WORKER = worker
    return by_vllm(path, work)


def by_server(path: Path, work: Path) -> float:
    """Seconds of `NUM_ASKED` prompts asked one after the other, scaled to all."""
    prompts = CandidatePrompts(load_tokenizer(MODEL), [path], MAX_LENGTH - 1)
    asked = list(islice(prompts.messages(), NUM_ASKED))
    server = llamafactory_server(
        MODEL.absolute(), API.template, API.port, work, 600, dtype=API.dtype
    )
    with server as url:
        endpoint = Endpoint(url, None, str(MODEL.absolute()), "", top_logprobs=0)
        began = time.perf_counter()
        complete_all(endpoint, Request(FewPrompts(chats=asked), (), 1), (), API, work)
        return (time.perf_counter() - began) * len(prompts) / len(asked)


def floor(path: Path, _: Path) -> float:
    """The least that the products of matrices of all prompts take."""
    prompts = CandidatePrompts(load_tokenizer(MODEL), [path], MAX_LENGTH - 1)
    num_tokens = unique_tokens(prompts)
    network = load_model(MODEL, "float32")
    embedding = network.get_input_embeddings().weight.numel()
    operations: float = 2 * (network.num_parameters() - embedding) * num_tokens
    one, other = (torch.randn(1024, 1024) for _ in range(2))
    timer = Timer("one @ other", globals={"one": one, "other": other})
    return operations * timer.blocked_autorange(min_run_time=1.0).median / (2 * 1024**3)


WAYS: dict[str, Callable[[Path, Path], float]] = {
    "ours": by_vllm,
    "no prefixes": without_prefixes,
    "server": by_server,
    "floor": floor,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--impressions", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help="measure one way on --file, for the others")
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    if given.way is None:
        compare(given.impressions, given.rounds)
        return
    work = WORK / "score"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    print("\n" + json.dumps({"seconds": WAYS[given.way](given.file, work)}))


def compare(num_impressions: int, rounds: int) -> None:
    """Measure all ways, and write the results."""
    if not MODEL.exists():
        with atomic_folder(MODEL) as draft:
            build_tiny(
                draft, examples(64, seed=1), vocab_size=1024, hidden_size=96, num_layers=3,
                max_length=MAX_LENGTH, steps=2, batch_size=4, lr=1e-3, seed=1,
            )  # fmt: skip
    sizes = {}
    for wanted in (2, num_impressions // 10, num_impressions, num_impressions * 10):
        path = WORK / f"impressions_{wanted}.parquet"
        sizes[write_candidates(path, wanted)] = path
    compared = sorted(sizes)[-2]

    def command(way: str, path: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.scoring", "--way", way, "--file", str(path)]

    ways = {way: command(way, sizes[compared]) for way in WAYS}
    seconds = {way: found.median for way, found in run_alternately(ways, rounds).items()}
    growth = []
    for size, path in sizes.items():
        report, peak = run_once(f"{size} prompts", command("ours", path))
        growth.append((float(size), report["seconds"], float(peak)))
    work = f"{compared:,} prompts of whole impressions, tiny model"
    ours = f"{compared / seconds['ours']:,.0f} prompts/s"
    rows = [
        limited(
            bound,
            Row(
                work, ours, f"{name}: {compared / seconds[way]:,.0f}/s",
                seconds[way] / seconds["ours"], goal,
            ),
        )
        for way, (name, goal, bound) in RIVALS.items()
    ]  # fmt: skip
    save("score", rows, rounds, {"score": growth})


if __name__ == "__main__":
    run_program(main)
