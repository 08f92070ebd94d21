"""A file of texts, one a line, put into classes: each engine of `newsrec classify`, and a rival.

The rival is transformers' own pipeline on the same file, in batches in the order of the file; it is
given the texts as the classifier reads them, so that its answers must be the same. Each way reads
lines and writes JSON lines, in a process of its own, with the load of the model and without the
start of Python; the ways run alternately.

With --lines, the real command on that many lines: killed with SIGKILL in the middle, run again, and
compared with a run on the first lines that was not killed. Memory is that of all its processes.

Needs `dvc repro merge` in pipelines/safety.

Run     python -m benchmarks.classify [--rounds 3]
        python -m benchmarks.classify --lines 1000000      (half an hour)
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from benchmarks.document import save
from benchmarks.rows import Row
from benchmarks.side_by_side import run_alternately, run_once
from newsrec.chat.text import plain_text
from newsrec.chat.tokens import load_tokenizer
from newsrec.errors import UserError
from newsrec.params.load import load_params
from newsrec.running.stage import run_program
from newsrec.safety.classifying import classify_stream
from newsrec.safety.corpus.synthetic import documents
from newsrec.safety.labels import CLASSES
from newsrec.safety.normalisation import normalise
from newsrec.safety.params import Params

FOLDER, MODEL = Path("pipelines/safety"), Path("models/merged")
SIZES = [1_000, 10_000, 100_000]
COMPARED = 10_000
ENGINES = ("transformers", "onnx", "vllm")
BOUNDS = {"onnx": "the export, most of the time", "vllm": "vLLM's start, most of the time"}
RIVAL = "pipeline"
FASTEST = "vllm"
# Lines of a whole number of batches, so that the first ones of a longer file are computed alike.
WHOLE, BATCH = 20_000, 4_000
PIPELINE_BATCH = 32
TOLERANCE = 1e-4  # between the probabilities of two ways


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="10000 among them")
    parser.add_argument("--lines", type=int, help="of the run that is killed")
    parser.add_argument("--way", nargs=3, help="used by the benchmark itself")
    options = parser.parse_args()
    if options.way:
        _way(*options.way)
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.lines:
            rows = _killed(Path(folder), options.lines)
            save("classify_lines", rows, rounds=1)
        else:
            rows, growth = _compare(Path(folder), options.rounds, options.sizes)
            save("classify", rows, options.rounds, growth)
    for row in rows:
        print(row)


def write_lines(target: Path, num: int) -> Path:
    """As many made-up texts, one a line."""
    with target.open("w", encoding="utf-8") as stream:
        for document in documents(num, seed=77):
            stream.write(" ".join(document.text.splitlines()) + "\n")
    return target


def _compare(
    work: Path, rounds: int, sizes: Sequence[int]
) -> tuple[list[Row], dict[str, list[tuple[float, float, float]]]]:
    """Each engine beside the rival, and how it grows."""
    files = {size: write_lines(work / f"{size}.txt", size) for size in sizes}

    def command(way: str, size: int) -> list[str | Path]:
        target = work / f"{way}_{size}.jsonl"
        return [sys.executable, "-m", "benchmarks.classify", "--way", way, files[size], target]

    ways = {way: command(way, COMPARED) for way in (RIVAL, *ENGINES)}
    found = run_alternately(ways, rounds)
    expected = _probabilities(work / f"{RIVAL}_{COMPARED}.jsonl")
    for engine in ENGINES:
        difference = np.abs(_probabilities(work / f"{engine}_{COMPARED}.jsonl") - expected).max()
        if difference > TOLERANCE:
            raise UserError(f"{engine} and the rival differ by {difference:.1g} in a probability")
    growth: dict[str, list[tuple[float, float, float]]] = {}
    for engine in ENGINES:
        growth[engine] = [(float(COMPARED), found[engine].median, float(found[engine].peak_bytes))]
        for size in sizes:
            if size != COMPARED:
                report, peak = run_once(f"{engine}, {size:,}", command(engine, size))
                growth[engine].append((float(size), report["seconds"], float(peak)))
        growth[engine].sort()
    rival = found[RIVAL]
    rows = [
        Row(
            work=f"{COMPARED:,} lines into classes, {engine}, tiny model, loading it included",
            ours=f"{COMPARED / found[engine].median:,.0f} texts/s",
            rival=f"transformers' pipeline: {COMPARED / rival.median:,.0f} texts/s",
            figure=rival.median / found[engine].median,
            goal=1,
            bound=BOUNDS.get(engine, "") if rival.median < found[engine].median else "",
        )
        for engine in ENGINES
    ]
    return rows, growth


def _killed(work: Path, num: int) -> list[Row]:
    """The real command on `num` lines, killed in the middle and run again."""
    many, few = write_lines(work / "many.txt", num), work / "few.txt"
    with many.open("rb") as stream:
        few.write_bytes(b"".join(islice(stream, WHOLE)))
    whole = _run(few, work / "few.jsonl")
    killed = _run(many, work / "many.jsonl", kill_at=num // BATCH // 2)
    again = _run(many, work / "many.jsonl", kept=killed.parts)
    with (work / "few.jsonl").open("rb") as one, (work / "many.jsonl").open("rb") as other:
        if one.read() != b"".join(islice(other, WHOLE)):
            raise UserError("the run that was killed gave other answers than the whole one")
        written = WHOLE + sum(1 for _ in other)
    if written != num:
        raise UserError(f"{written:,} lines were written; expected {num:,}")
    seconds, peak = killed.seconds + again.seconds, max(killed.peak_bytes, again.peak_bytes)
    rate, rate_of_few = num / seconds, WHOLE / whole.seconds
    work_done = f"{num:,} lines by newsrec classify --engine {FASTEST}"
    return [
        Row(
            work=f"{work_done}, killed after {len(killed.parts) * BATCH:,} and run again",
            ours=f"{seconds:,.0f} s, {rate:,.0f} texts/s",
            rival=f"{WHOLE:,} lines without a kill, starts included: {rate_of_few:,.0f} texts/s",
            figure=rate / rate_of_few,
            goal=1,
        ),
        Row(
            work=f"{work_done}, peak memory of all its processes together",
            ours=f"{peak / 2**20:,.0f} MiB",
            rival=f"{WHOLE:,} lines: {whole.peak_bytes / 2**20:,.0f} MiB",
            figure=peak / whole.peak_bytes,
            goal=1.25,
            at_most=True,
        ),
    ]


@dataclass(frozen=True)
class Run:
    """Seconds of the command, the most memory of its processes together, the batches it left."""

    seconds: float
    peak_bytes: int
    parts: dict[str, int]


def _run(
    source: Path, target: Path, *, kill_at: int | None = None, kept: Mapping[str, int] = {}
) -> Run:
    """Run the real command.

    Args:
        source: of lines.
        target: to write.
        kill_at: batches after which it is killed.
        kept: batches that were answered before, with their times.

    Raises:
        UserError: it failed, or answered a batch again.
    """
    words = ["newsrec", "classify", "--engine", FASTEST, "--file", source, "--output", target]
    began, peak = time.perf_counter(), 0
    found: dict[str, int] = {}
    with psutil.Popen([str(word) for word in words], cwd=FOLDER) as process:
        while process.poll() is None:
            peak = max(peak, _memory(process))
            found = _parts() or found
            if again := [name for name, made in kept.items() if found.get(name, made) != made]:
                raise UserError(f"{len(again):,} batches were answered again, such as {again[0]}")
            if kill_at is not None and len(found) >= kill_at:
                started = process.children(recursive=True)
                process.kill()
                psutil.wait_procs(started, timeout=60)
                found = _parts()
            time.sleep(0.2)
    if process.returncode != (0 if kill_at is None else -signal.SIGKILL):
        raise UserError(f"{words} ended with exit code {process.returncode}")
    return Run(time.perf_counter() - began, peak, found)


def _parts() -> dict[str, int]:
    """The answered batches that are kept, and when each was written."""
    found = {}
    for path in (FOLDER / ".work/classify").glob(f"*/{FASTEST}/*.parquet"):
        with suppress(FileNotFoundError):  # removed at the end
            found[path.name] = path.stat().st_mtime_ns
    return found


def _memory(process: psutil.Popen) -> int:
    """Bytes of a process and all that it started."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    return total


def _probabilities(path: Path) -> npt.NDArray[np.float64]:
    """Of each line and class."""
    with path.open(encoding="utf-8") as stream:
        rows = [json.loads(line)["probabilities"] for line in stream]
    return np.array([[row[name] for name in CLASSES] for row in rows])


def _way(name: str, source: str, target: str) -> None:
    os.chdir(FOLDER)
    params = load_params(Params)
    cutoff = params.train.cutoff_len
    began = time.perf_counter()
    if name == RIVAL:
        _by_pipeline(Path(source), Path(target), cutoff)
    else:
        settings = params.classifier_settings(name)
        classify_stream(Path(source), Path(target), settings, MODEL, cutoff)
    print("\n" + json.dumps({"seconds": time.perf_counter() - began}), flush=True)


def _by_pipeline(source: Path, target: Path, cutoff: int) -> None:
    from transformers import AutoModelForSequenceClassification, pipeline

    tokenizer = load_tokenizer(MODEL)
    network = AutoModelForSequenceClassification.from_pretrained(MODEL)
    classifier = pipeline(
        "text-classification", model=network, tokenizer=tokenizer, device="cpu", top_k=None
    )

    def texts() -> Iterator[str]:
        with source.open(encoding="utf-8") as stream:
            for line in stream:
                # Our classifier is asked at the token that ends a turn.
                yield plain_text(normalise(line)) + tokenizer.eos_token

    options = {"batch_size": PIPELINE_BATCH, "truncation": True, "max_length": cutoff}
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as written:
        for line, found in zip(lines, classifier(texts(), **options), strict=True):
            shares = {one["label"]: one["score"] for one in found}
            row = {"text": line.rstrip("\n"), "probabilities": shares}
            written.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    run_program(main)
