"""The files that samples go to: LLaMA-Factory's JSON lines, and Parquet for what is scored."""

import json
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.news.mind.tables import News
from newsrec.news.prompts import INSTRUCTION, NO, YES, prompt_input
from newsrec.training.dataset import SPLITS, SampleSet, write_dataset_info

DATASET = "mind"  # mind_train and mind_val

CANDIDATES_SCHEMA = pa.schema(
    [
        ("impression_id", pa.string()),
        ("user_id", pa.string()),
        ("news_id", pa.string()),
        ("label", pa.int8()),
        ("time", pa.timestamp("s")),
        ("history", pa.list_(pa.string())),
        ("liked", pa.list_(pa.string())),
        ("disliked", pa.list_(pa.string())),
        ("target", pa.string()),
        ("category", pa.string()),
        ("history_length", pa.int32()),
        ("user_in_train", pa.bool_()),
        ("news_in_train", pa.bool_()),
    ]
)
# What a prompt is made of and what its answer is joined with; a label may be null.
PROMPTS_SCHEMA = pa.schema(
    [
        CANDIDATES_SCHEMA.field(name)
        for name in (
            *("impression_id", "user_id", "news_id", "label"),
            *("history", "liked", "disliked", "target"),
        )
    ]
)
_JSON = json.JSONEncoder(ensure_ascii=False)  # json.dumps makes one for each call
_BATCH_ROWS = 5_000
# What an impression is selected for.
SAMPLE, SCORE = "sample", "score"


class SampleFiles:
    """Sends each sample to its file; impressions stay together and in order."""

    def __init__(
        self,
        processed: Path,
        news: Mapping[str, News],
        train_news: Collection[str],
    ) -> None:
        self._news, self._train_news = news, train_news
        samples = SampleSet(processed, DATASET)
        write_dataset_info(samples)
        self._stack = ExitStack()
        self._jsonl = {
            split: self._stack.enter_context(
                (processed / f"{samples.dataset(split)}.jsonl").open(
                    "w", encoding="utf-8", newline="\n"
                )
            )
            for split in SPLITS
        }
        self._tables = {
            split: self._stack.enter_context(
                pq.ParquetWriter(
                    processed / f"candidates_{split}.parquet", CANDIDATES_SCHEMA, compression="zstd"
                )
            )
            for split in ("val", "test")
        }
        self._rows: dict[str, list[dict[str, Any]]] = {split: [] for split in self._tables}

    def __enter__(self) -> "SampleFiles":
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            for split in self._tables:
                self._flush(split)

    def write(self, split: str, purpose: str, sample: dict[str, Any]) -> None:
        """Write a training sample as JSON, a candidate to score as a row of Parquet."""
        if purpose == SAMPLE:
            self._jsonl[split].write(_JSON.encode(_alpaca(sample)) + "\n")
            return
        facts = {
            "category": self._news[sample["news_id"]].category,
            "news_in_train": sample["news_id"] in self._train_news,
        }
        self._rows[split].append(sample | facts)
        if len(self._rows[split]) == _BATCH_ROWS:
            self._flush(split)

    def _flush(self, split: str) -> None:
        table = pa.Table.from_pylist(self._rows[split], schema=CANDIDATES_SCHEMA)
        self._tables[split].write_table(table)
        self._rows[split].clear()


def _alpaca(sample: Mapping[str, Any]) -> dict[str, str]:
    return {
        "instruction": INSTRUCTION,
        "input": prompt_input(
            sample["history"], sample["liked"], sample["disliked"], sample["target"]
        ),
        "output": YES if sample["label"] else NO,
        "user_id": sample["user_id"],
        "impression_id": sample["impression_id"],
        "news_id": sample["news_id"],
    }
