"""Labelled rows checked one by one, normalised and counted, in flat memory.

A row that cannot be used in any way stops the stage with where it is; one that is only odd is
kept, made usable, and counted.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import regex

from newsrec.chat.text import plain_text
from newsrec.errors import UserError, unknown_choice
from newsrec.safety.labels import CLASSES
from newsrec.safety.normalisation import normalise
from newsrec.safety.tables import RAW_SCHEMA, SCHEMA

_BATCH_ROWS = 2_000
_CONTROL = regex.compile(r"(?V1)[\p{Cc}--[\t\n\r]]")
_SURROGATE = regex.compile(r"\p{Cs}")
_DIGEST_BYTES = 16


@dataclass
class Counts:
    """What one split holds, of which `figures` are the metrics."""

    texts: set[bytes] = field(default_factory=set)  # digests of the normalised ones
    lengths: "array[int]" = field(default_factory=lambda: array("L"))  # of those, in characters
    labels: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, Any]:
        """Counts, lengths in characters and shares, under keys that are always there."""
        num = len(self.lengths)
        median, p95 = np.quantile(self.lengths, [0.5, 0.95]) if num else (0.0, 0.0)
        names = ("empty", "too_long", "control_characters", "lone_surrogates", "control_tokens")
        return {
            "num_rows": num,
            **{f"num_{name}": self.odd[name] for name in (*names, "duplicates", "in_train")},
            "length_mean": float(np.mean(self.lengths)) if num else 0.0,
            "length_median": float(median),
            "length_p95": float(p95),
            "length_max": max(self.lengths, default=0),
            "num_by_class": {name: self.labels[name] for name in CLASSES},
            "share_by_class": {name: self.labels[name] / num if num else 0.0 for name in CLASSES},
        }


@dataclass(frozen=True)
class Row:
    """A row as it goes on."""

    id: str
    text: str
    label: str
    cluster: int
    normalised: str


def read_raw(path: Path) -> Iterator[pa.Table]:
    """The rows of data/raw/SPLIT.parquet, some thousand at a time; text is not yet UTF-8 for sure.

    Raises:
        UserError: there is no such file, it is no Parquet, or a column is missing or of another
            type.
    """
    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow
            for column in RAW_SCHEMA:
                if column.name not in found.names:
                    raise UserError(
                        f"{path}: no column {column.name!r}, found {', '.join(found.names)}; "
                        f"expected {', '.join(RAW_SCHEMA.names)}; make it again: dvc repro extract"
                    )
                if (kind := found.field(column.name).type) != column.type:
                    raise UserError(
                        f"{path}: column {column.name!r} is of {kind}, expected {column.type}; "
                        "make it again: dvc repro extract"
                    )
            for batch in file.iter_batches(_BATCH_ROWS, columns=RAW_SCHEMA.names):
                yield pa.Table.from_batches([batch])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; make it with: dvc repro extract") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: cannot be read as Parquet ({' '.join(str(error).split())[:200]}); make it "
            "again: dvc repro extract"
        ) from error


def check_rows(
    table: pa.Table, path: Path, first: int, max_chars: int, counts: Counts, train: set[bytes]
) -> tuple[pa.Table, list[Row]]:
    """The rows of a table that can be used, with their normalised text.

    Args:
        table: of `read_raw`.
        path: of its file, for errors.
        first: how many rows of the file are before it, for errors.
        max_chars: of the normalised text; what is beyond is left out there, never in the raw text.
        counts: of the split; is added to.
        train: digests of the normalised texts of the training split.

    Returns:
        A table of `SCHEMA`, and its rows. Those with no visible character are left out: there is
        nothing to classify.

    Raises:
        UserError: a value is missing, a label is none of the classes, or a text is not UTF-8.
    """
    values = [table[name].to_pylist() for name in ("id", "label", "cluster")]
    # As bytes: Parquet holds whatever was written, and a lone surrogate is no UTF-8 to Arrow.
    texts = table["text"].cast(pa.binary()).to_pylist()
    kept, rows = [], []
    for place, (id_, label, cluster, raw) in enumerate(zip(*values, texts, strict=True)):
        where = f"{path}, row {first + place + 1}"
        if None in (id_, label, cluster, raw):
            raise UserError(
                f"{where}: a value is missing (id {id_!r}); expected id, text, label and cluster "
                "in every row; correct the source and run: dvc repro extract"
            )
        if label not in CLASSES:
            raise unknown_choice(f"{where}: label", label, CLASSES)
        text = _decode(raw, where)
        normalised = normalise(text)
        plain = plain_text(normalised)
        if not plain:
            counts.odd["empty"] += 1
            continue
        _count_odd(text, normalised, plain, max_chars, counts)
        normalised = normalised[:max_chars].rstrip()
        _count(normalised, label, counts, train)
        kept.append(place)
        # Arrow takes no surrogate, and what reads the result must not stop at one.
        rows.append(Row(id_, _SURROGATE.sub("\ufffd", text), label, cluster, normalised))
    columns = table.drop_columns("text").take(pa.array(kept, pa.int64()))
    for name in ("text", "normalised"):
        column = pa.array([getattr(row, name) for row in rows], pa.string())
        columns = columns.append_column(SCHEMA.field(name), column)
    return columns.select(SCHEMA.names), rows


def _decode(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where}: byte {raw[error.start]:#04x} at position {error.start} of the text is not "
            "UTF-8; convert the source with iconv -t UTF-8, and run: dvc repro extract"
        ) from None


def _count_odd(text: str, normalised: str, plain: str, max_chars: int, counts: Counts) -> None:
    found = {
        "too_long": len(normalised) > max_chars,
        "control_characters": _CONTROL.search(text) is not None,
        "lone_surrogates": _SURROGATE.search(text) is not None,
        # All else that `plain_text` makes plain, `normalise` already did.
        "control_tokens": plain != normalised,
    }
    counts.odd.update(name for name, is_odd in found.items() if is_odd)


def _count(normalised: str, label: str, counts: Counts, train: set[bytes]) -> None:
    digest = blake2b(normalised.encode(), digest_size=_DIGEST_BYTES).digest()
    counts.odd["duplicates"] += digest in counts.texts
    counts.odd["in_train"] += digest in train
    counts.texts.add(digest)
    counts.lengths.append(len(normalised))
    counts.labels[label] += 1
