"""A data set in the form that LLaMA-Factory reads: alpaca records and dataset_info.json."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from newsrec.errors import UserError, unknown_choice
from newsrec.files import read_json, write_json

SPLITS = ("train", "val")


@dataclass(frozen=True)
class SampleSet:
    """Training and validation samples: the data sets NAME_train and NAME_val of a folder."""

    folder: Path
    name: str

    def dataset(self, split: str) -> str:
        """The name of a split in dataset_info.json."""
        return f"{self.name}_{split}"

    def file(self, split: str) -> Path:
        """The file of a split, as dataset_info.json names it.

        Raises:
            UserError: dataset_info.json is missing, or does not list the split.
        """
        path = self.folder / "dataset_info.json"
        listed = read_json(path)
        name = self.dataset(split)
        if name not in listed:
            raise unknown_choice(f"{path}: data set", name, listed)
        file: Path = self.folder / listed[name]["file_name"]
        if not file.is_file():
            raise UserError(f"{file}: no such file, but {path} lists it; make the data set again")
        return file


def write_dataset_info(samples: SampleSet) -> None:
    """Write the folder's dataset_info.json: both splits as JSON lines of alpaca records."""
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    write_json(
        samples.folder / "dataset_info.json",
        {
            samples.dataset(split): {
                "file_name": f"{samples.dataset(split)}.jsonl",
                "columns": columns,
            }
            for split in SPLITS
        },
    )


def read_samples(path: Path) -> Iterator[tuple[str, str]]:
    """The user message and the answer of each record, joined as LLaMA-Factory joins them."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            yield f"{record['instruction']}\n{record['input']}", record["output"]
