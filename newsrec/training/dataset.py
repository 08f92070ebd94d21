"""A data set in the format that LLaMA-Factory reads: alpaca records and dataset_info.json."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsrec.errors import UserError, unknown_choice
from newsrec.files import read_json, write_json

SPLITS = ("train", "val")


@dataclass(frozen=True)
class SampleSet:
    """Training and validation samples: the data sets NAME_train and NAME_val in a folder.

    Parts of the validation samples, such as those of one task, may be repeated as NAME_val_PART;
    each part is then also validated separately.
    """

    folder: Path
    name: str

    def dataset(self, split: str) -> str:
        """The name of a split in dataset_info.json."""
        return f"{self.name}_{split}"

    def file(self, split: str) -> Path:
        """The file of a split according to dataset_info.json.

        Raises:
            UserError: dataset_info.json is missing, or does not list the split.
        """
        path, listed = self._listed()
        name = self.dataset(split)
        if name not in listed:
            raise unknown_choice(f"{path}: data set", name, listed)
        file: Path = self.folder / listed[name]["file_name"]
        if not file.is_file():
            raise UserError(f"{file}: no such file, but {path} lists it; create the data set again")
        return file

    def val_parts(self) -> list[str]:
        """The names of the parts of the validation samples, in the order of dataset_info.json.

        Raises:
            UserError: dataset_info.json is missing.
        """
        whole = f"{self.dataset('val')}_"
        return [name.removeprefix(whole) for name in self._listed()[1] if name.startswith(whole)]

    def _listed(self) -> tuple[Path, dict[str, Any]]:
        path = self.folder / "dataset_info.json"
        return path, read_json(path)


def write_dataset_info(samples: SampleSet, val_parts: Sequence[str] = ()) -> None:
    """Write dataset_info.json for a folder with JSON lines of alpaca records.

    Args:
        samples: the folder and name; the files of the splits are NAME_SPLIT.jsonl.
        val_parts: names of validation parts, whose files are NAME_val/PART.jsonl.
    """
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    whole = samples.dataset("val")
    files = {samples.dataset(split): f"{samples.dataset(split)}.jsonl" for split in SPLITS}
    files |= {f"{whole}_{part}": f"{whole}/{part}.jsonl" for part in val_parts}
    write_json(
        samples.folder / "dataset_info.json",
        {name: {"file_name": file, "columns": columns} for name, file in files.items()},
    )


def read_samples(path: Path) -> Iterator[tuple[str, str]]:
    """The user message and the answer of each record, joined in the same way as LLaMA-Factory."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            yield f"{record['instruction']}\n{record['input']}", record["output"]
