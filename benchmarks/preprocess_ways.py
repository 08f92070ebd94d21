"""The ways that `benchmarks.preprocess` compares, each in a process of its own.

Run     python -m benchmarks.preprocess_ways WAY RAW TARGET SHARE
        (WAY: default, every, row_loop or floor; SHARE: of MINDlarge that the files are; the last
        line printed is JSON)
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from pyarrow import csv

from newsrec.news.mind.samples import SPLITS, preprocess
from newsrec.news.mind.tables import BEHAVIORS_COLUMNS, NEWS_COLUMNS
from newsrec.news.prompts import INSTRUCTION, NO, YES, prompt_input
from newsrec.running.stage import run_program


def default(raw: Path, target: Path, share: float) -> None:
    """`preprocess` as `data=mind-large` ships it, which draws the same share of a smaller size."""
    limits: dict[str, int | None] = {"train": int(120_000 * share), "val": int(2000 * share)}
    _preprocess(raw, target, "earlier", "sampled", limits, max(1, int(2000 * share)))


def every(raw: Path, target: Path, share: float) -> None:
    """`preprocess` with the row loop's work: a sample of every impression, as published."""
    _preprocess(raw, target, "same_impression", "last", {"train": None, "val": None}, None)


def _preprocess(
    raw: Path,
    target: Path,
    feedback: str,
    kind: str,
    max_samples: dict[str, int | None],
    num_test_impressions: int | None,
) -> None:
    preprocess(
        raw,
        target,
        feedback=feedback,
        num_history=3,
        num_feedback=3,
        target=kind,
        positive_rate=0.5,
        max_samples=max_samples,
        test_candidates="last" if kind == "last" else "all",
        num_val_impressions=num_test_impressions or 500,
        num_test_impressions=num_test_impressions,
        seed=42,
    )


def row_loop(raw: Path, target: Path, share: float) -> None:
    """The published recipe as one writes it down: a data frame, walked row by row."""
    titles: dict[str, str] = {}
    for split in SPLITS:
        news = pd.read_csv(
            raw / split / "news.tsv",
            sep="\t",
            names=list(NEWS_COLUMNS),
            quoting=3,
            keep_default_na=False,
        )
        titles |= dict(zip(news["news_id"], news["title"], strict=True))
    for split in SPLITS:
        path = raw / split / "behaviors.tsv"
        frame = pd.read_csv(
            path, sep="\t", names=list(BEHAVIORS_COLUMNS), quoting=3, keep_default_na=False
        )
        with (target / f"{split}.jsonl").open("w", encoding="utf-8") as stream:
            for _, row in frame.iterrows():
                shown = []
                for item in row["impressions"].split():
                    news_id, label = item.split("-")
                    if news_id in titles:
                        shown.append((titles[news_id], label))
                if not shown:
                    continue
                *others, (title, label) = shown
                history = [
                    titles[news_id] for news_id in row["history"].split() if news_id in titles
                ]
                liked = [other for other, clicked in others if clicked == "1"]
                disliked = [other for other, clicked in others if clicked == "0"]
                sample = {
                    "instruction": INSTRUCTION,
                    "input": prompt_input(history[-3:], liked[:3], disliked[:3], title),
                    "output": YES if label == "1" else NO,
                }
                stream.write(json.dumps(sample, ensure_ascii=False) + "\n")


def floor(raw: Path, target: Path, share: float) -> None:
    """Arrow reads the same files, in blocks and with all threads, and nothing is done with them."""
    for split in SPLITS:
        for name, columns in (("news", NEWS_COLUMNS), ("behaviors", BEHAVIORS_COLUMNS)):
            reader = csv.open_csv(
                raw / split / f"{name}.tsv",
                read_options=csv.ReadOptions(column_names=columns),
                parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            )
            for _ in reader:
                pass


WAYS: dict[str, Callable[[Path, Path, float], None]] = {
    "default": default,
    "every": every,
    "row_loop": row_loop,
    "floor": floor,
}


def main() -> None:
    way, raw, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    start, cpu = time.perf_counter(), time.process_time()
    WAYS[way](raw, target, float(sys.argv[4]))
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "cpu_seconds": time.process_time() - cpu}))


if __name__ == "__main__":
    run_program(main)
