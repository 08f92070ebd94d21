"""The host's work for the leaderboard's hidden test, from a part of it, beside what a GPU needs.

A made-up split of MINDlarge test's shape goes the way of `make submission`; a stand-in for vLLM
reads its stream and answers at once. What is measured is all that is not the engine: candidates,
prompts (made twice: checked first, then streamed), their digests, the stream, answers, predictions
and the zip. Seconds are those of the processor, scaled to the whole test.

The GPU's time is that of an H100 at its peak of dense bfloat16, 989e12 operations a second: two for
each of Qwen3-8B's 8.2e9 parameters and each token with which no prompt before it began.

Run     python -m benchmarks.submission [--share 0.01]
"""

import argparse
import io
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.candidates import NUM_CANDIDATES, NUM_NEWS, make_titles, unique_tokens
from benchmarks.document import save
from benchmarks.ids import MAX_TOKENS, TOKENIZER
from benchmarks.packages import fetch_qwen3_tokenizer
from benchmarks.rows import Row
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.parts import Parts
from newsrec.engines.request import ANSWERS_SCHEMA, Request
from newsrec.engines.settings import VllmSettings
from newsrec.engines.vllm_engine import _write_stream
from newsrec.files import size_folder, write_text
from newsrec.news.candidate_prompts import CandidatePrompts
from newsrec.news.leaderboard.submission import validate_submission, write_submission
from newsrec.news.mind.unlabelled import write_candidates_unlabelled
from newsrec.news.predictions import write_model_predictions
from newsrec.running.stage import run_program

WORK = Path(".work/benchmarks/submission")
NUM_IMPRESSIONS = 2_370_727  # of MINDlarge test
NUM_HISTORY = 20  # news in a history
PARAMETERS, OPERATIONS = 8.2e9, 989e12
SETTINGS = VllmSettings("bfloat16", MAX_TOKENS + 4, 0.9, 1, False, 4_000, 42)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.01, help="of the hidden test")
    given = parser.parse_args()
    fetch_qwen3_tokenizer(TOKENIZER)
    shutil.rmtree(WORK, ignore_errors=True)
    save("submission", [measure(given.share, WORK, TOKENIZER)], rounds=1)


def measure(share: float, work: Path, tokenizer: Path, num_news: int = NUM_NEWS) -> Row:
    """Do the host's work for a share of the hidden test in the folder `work`."""
    num_impressions = round(NUM_IMPRESSIONS * share)
    write_raw(work / "raw", num_impressions, num_news)
    seconds: dict[str, float] = {}
    candidates, predictions = work / "candidates.parquet", work / "predictions.parquet"
    behaviors = work / "raw/unlabelled/behaviors.tsv"
    with timed(seconds, "candidates"):
        num_prompts = write_candidates_unlabelled(
            work / "raw", candidates, feedback="none", num_history=3, num_feedback=3, seed=1
        )
    prompts = CandidatePrompts(load_tokenizer(tokenizer), [candidates], MAX_TOKENS)
    with timed(seconds, "prompts, checked"):
        prompts.audit()
    with timed(seconds, "prompts, streamed and answered"):
        answer_at_once(prompts, tokenizer, work / "answers.parquet", work / "vllm")
    with timed(seconds, "predictions"):
        write_model_predictions(candidates, work / "answers.parquet", predictions)
    with timed(seconds, "zip"):
        write_submission(behaviors, predictions, work / "prediction.zip")
        validate_submission(work / "prediction.zip", behaviors)
    num_unique = unique_tokens(prompts)
    on_gpu = num_unique * 2 * PARAMETERS / OPERATIONS / share
    total = sum(seconds.values()) / share
    for step, spent in seconds.items():
        print(f"{step:32} {1e6 * spent / num_prompts:8.1f} microseconds a prompt")
    disk = size_folder(work) - size_folder(work / "raw")
    print(f"{disk / num_prompts:.0f} bytes of disk a prompt, {num_unique / num_prompts:.1f} tokens")
    shown = f"{NUM_IMPRESSIONS:,} impressions, {num_prompts / share / 1e6:.0f} million prompts"
    return Row(
        f"{shown}: CPU time of the host, scaled from {share:.1%}",
        f"{total / 3600:.2f} h",
        f"one H100 at its peak: {on_gpu / 3600:.1f} h",
        on_gpu / total,
        3,
    )


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Add the processor's seconds of the block."""
    began = time.process_time()
    yield
    seconds[step] = time.process_time() - began


def write_raw(folder: Path, num_impressions: int, num_news: int) -> None:
    """MIND's files: news, and an unlabelled split of impressions; the other splits are empty."""
    rng = np.random.default_rng(1)
    news = "".join(
        f"N{number}\tnews\tother\t{title}\t\t\t[]\t[]\n"
        for number, title in enumerate(make_titles(num_news, seed=1))
    )
    shown = rng.random((num_impressions, NUM_HISTORY + NUM_CANDIDATES)) ** 3
    drawn = (num_news * shown).astype(int)
    rows = (
        f"{number}\tU{number}\t11/16/2019 10:00:00 AM\t"
        f"{' '.join(f'N{one}' for one in line[:NUM_HISTORY])}\t"
        f"{' '.join(f'N{one}' for one in line[NUM_HISTORY:])}\n"
        for number, line in enumerate(drawn.tolist(), start=1)
    )
    for split in ("train", "val", "test", "unlabelled"):
        write_text(folder / split / "news.tsv", news)
        write_text(folder / split / "behaviors.tsv", "")
    write_text(folder / "unlabelled/behaviors.tsv", "".join(rows))


def answer_at_once(prompts: CandidatePrompts, model: Path, target: Path, work: Path) -> None:
    """All that is done around an engine: on our side of its stream, and as lists on the other."""
    parts = Parts(work, SETTINGS, model, Request(prompts, (1, 2), 1), [])
    rng = np.random.default_rng(1)
    for batch in parts.missing(SETTINGS.batch_size):
        _write_stream([batch], SETTINGS.batch_size, io.BytesIO())
        lists = batch.ids.to_pylist()
        logprobs = np.log(rng.random((len(lists), 2)) / 2).tolist()
        rows = [{"logprobs": pair, "text": "Yes"} for pair in logprobs]
        parts.write(batch, pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA))
    parts.join(target)


if __name__ == "__main__":
    run_program(main)
