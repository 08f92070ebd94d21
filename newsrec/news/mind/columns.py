"""Tab-separated rows as Arrow columns, and what can be said of the characters in a column.

Where anything looks like a fault, the row readers of `newsrec.news.mind.tables` have the last word.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from newsrec.files import MAX_LINE_BYTES
from newsrec.news.mind.tables import BLANK

_PIECE_BYTES = 1 << 23  # higher: more memory, fewer and longer calls
_PLAIN = bytes(range(0x20, 0x7F))
_PARSE = csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False)


def pieces(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (number of lines before, byte offset, whole rows)."""
    line, start = 0, 0
    with path.open("rb") as stream:
        while data := stream.read(_PIECE_BYTES):
            if not data.endswith(b"\n"):
                data += stream.readline(MAX_LINE_BYTES + 1)
            yield line, start, data
            line += data.count(b"\n")
            start += len(data)


def read_columns(
    data: bytes, names: tuple[str, ...]
) -> tuple[list[pa.StringArray], np.ndarray] | None:
    """The columns of whole rows, and the length of each row in bytes, int64.

    None where the rows have not these columns, or hold what Arrow would read otherwise than
    `read_rows` does.
    """
    # Arrow ends a row at \\r, and passes over a mark at the beginning.
    if b"\r" in data or b"\0" in data or data.startswith(codecs.BOM_UTF8):
        return None
    read = csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False)
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    try:
        table = csv.read_csv(pa.BufferReader(data), read, _PARSE, convert)
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks() for column in table.columns]
    lengths = len(columns) + np.sum([np.diff(bounds_of(column)) for column in columns], axis=0)
    whole = lengths.sum() == len(data) + (not data.endswith(b"\n"))
    return (columns, lengths) if whole and lengths.max() <= MAX_LINE_BYTES else None


def are_ids(column: pa.StringArray, forbidden: str) -> bool:
    """Whether no value is empty or has a space at an end, and `characters_fit`."""
    bounds = bounds_of(column)
    if not np.diff(bounds).all() or not characters_fit(column, forbidden):
        return False
    text = np.frombuffer(bytes_of(column), np.uint8)
    return bool((text[bounds[:-1]] != ord(" ")).all() and (text[bounds[1:] - 1] != ord(" ")).all())


def characters_fit(column: pa.StringArray, forbidden: str) -> bool:
    """Whether every character prints something and is none of `forbidden`."""
    data = bytes_of(column)
    rest = data.translate(None, _PLAIN)
    if rest:
        text = data.decode()
        if not text.isprintable() or BLANK.search(text):
            return False
    return not any(char in data for char in forbidden.encode())


def bytes_of(column: pa.StringArray) -> bytes:
    """The text of all values, one behind the other."""
    bounds = bounds_of(column)
    if bounds[-1] == 0:
        return b""
    start = np.frombuffer(column.buffers()[1], np.int32)[column.offset]
    return bytes(column.buffers()[2][int(start) : int(start + bounds[-1])])


def bounds_of(column: pa.StringArray) -> np.ndarray:
    """Where each value begins in `bytes_of`, and where the last one ends."""
    bounds = np.frombuffer(column.buffers()[1], np.int32)[column.offset :][: len(column) + 1]
    return np.asarray(bounds.astype(np.int64) - bounds[0])
