"""Alpaca records, the JSON lines that LLaMA-Factory trains on."""

import json
from collections.abc import Iterator
from pathlib import Path


def read_samples(path: Path) -> Iterator[tuple[str, str]]:
    """The user message and the answer of each record, joined as LLaMA-Factory joins them."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            yield f"{record['instruction']}\n{record['input']}", record["output"]
