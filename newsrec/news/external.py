"""External predictions, made by any model and read from files as they come."""

import csv
from collections.abc import Collection
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.errors import UserError
from newsrec.files import named_files, read_lines
from newsrec.news.leaderboard.submission import read_prediction_txt
from newsrec.news.predictions import (
    KEYS,
    MODEL_SCHEMA,
    ROW,
    SCHEMA,
    as_numbers,
    checked,
    read_predictions,
)

_TABLES = (".parquet", ".csv")
_RANKS = (".txt", ".zip")
_MORE_ROWS = 1_000
_LINE = "line {}"  # what an error calls a row of a CSV file


def read_external(
    folder: Path, candidates: pd.DataFrame, behaviors: Path, taken: Collection[str]
) -> tuple[dict[str, pd.DataFrame], set[str]]:
    """The predictions tables of the files in `folder`, by the names of the files.

    Returns:
        The tables, and the names of those whose scores are no probabilities: ranks, and anything
        outside 0 to 1. They only order candidates.

    Args:
        folder: holds NAME.parquet or NAME.csv (a predictions table, its rows in any order) or
            NAME.txt or NAME.zip (the leaderboard's ranks).
        candidates: the evaluation set.
        behaviors: of the test split, which gives the candidates of the ranks.
        taken: names that other predictors have.

    Raises:
        UserError: a name is taken or no plain word, a file is of no such kind, or its content is
            not as it must be; with the line or row.
    """
    tables: dict[str, pd.DataFrame] = {}
    # A few too many are named one by one; many more are of another set, or made to fill the memory.
    max_rows = 2 * len(candidates) + _MORE_ROWS
    no_probabilities = set()
    kinds, known = (*_TABLES, *_RANKS), [*taken, "protocol"]
    for path in named_files(folder, kinds, known, "predictions", "predictor"):
        kind, name = path.suffix.lower(), path.stem
        if kind in _RANKS:
            tables[name] = read_prediction_txt(path, candidates, behaviors)
        elif kind == ".csv":
            tables[name] = _in_order(_read_csv(path, max_rows), candidates, path, _LINE)
        else:
            _check_num_rows(path, _num_rows(path), max_rows)
            tables[name] = _in_order(read_predictions(path), candidates, path, ROW)
        if kind in _RANKS or not tables[name]["score"].between(0, 1).all():
            no_probabilities.add(name)
    return tables, no_probabilities


def _read_csv(path: Path, max_rows: int) -> pd.DataFrame:
    """A predictions table as CSV; the index is the line of each row."""
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with path.open("rb") as stream:
            text = (
                row.decode(_encoding(line)) + "\n" for line, row in read_lines(stream, str(path))
            )
            reader = csv.reader(text, skipinitialspace=True)
            header = next(reader, [])
            for row in reader:
                if row and len(row) != len(header):
                    raise UserError(
                        f"{path}, line {reader.line_num}: {len(row)} fields; expected "
                        f"{len(header)} as in the header, separated by commas; correct the line"
                    )
                _check_num_rows(path, len(rows) + 1, max_rows)
                if row:
                    rows.append(row)
                    lines.append(reader.line_num)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path}: not a CSV file in UTF-8 ({error}); expected a header and {SCHEMA.names} "
            "separated by commas; write it again"
        ) from None
    return checked(pd.DataFrame(rows, index=lines, columns=header), path, _LINE)


def _num_rows(path: Path) -> int:
    """The rows that reading the Parquet file yields; a column may claim more than the file."""
    total = 0
    try:
        metadata = pq.read_metadata(path)
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            parts = map(group.column, range(group.num_columns))
            known = [part.num_values for part in parts if part.path_in_schema in MODEL_SCHEMA.names]
            total += max([group.num_rows, *known])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a Parquet file ({error}); make it again") from None
    return total


def _check_num_rows(path: Path, found: int, max_rows: int) -> None:
    if found > max_rows:
        raise UserError(
            f"{path}: {found:,} rows or more; expected one for each row of the evaluation set, and "
            f"{max_rows:,} at the very most; predict that set"
        )


def _encoding(line: int) -> str:
    return "utf-8-sig" if line == 1 else "utf-8"  # without the mark that some programs write


def _in_order(
    table: pd.DataFrame, candidates: pd.DataFrame, source: Path, place: str
) -> pd.DataFrame:
    """The rows of a table in the order of the evaluation set, joined by their keys.

    Args:
        table: of `newsrec.news.predictions.checked`; its index holds the number of each row.
        candidates: the evaluation set.
        source: the file that an error names.
        place: what an error calls the row of a number.

    Raises:
        UserError: a key that is missing, surplus or duplicate, or another label.
    """
    # What a model answered is read where all of it is there; else it may be anything of that name.
    is_model = set(MODEL_SCHEMA.names) <= set(table.columns)
    columns = MODEL_SCHEMA.names if is_model else SCHEMA.names
    # An impression may show one news twice: the first row of that key is the first of the file.
    keys = [*KEYS, "occurrence"]
    rows = table[columns].assign(
        occurrence=table.groupby(KEYS, sort=False).cumcount(), row=table.index
    )
    wanted = candidates[[*KEYS, "label"]].assign(
        occurrence=candidates.groupby(KEYS, sort=False).cumcount()
    )
    surplus = rows.merge(wanted[keys], on=keys, how="left", indicator=True)
    surplus = surplus[surplus["_merge"] == "left_only"]
    if len(surplus):
        first = surplus.iloc[0]
        what = "occurs twice" if first["occurrence"] else "is not in the evaluation set"
        raise UserError(
            f"{source}, {place.format(first['row'])}: {_named(first)} {what}; expected each of its "
            f"{len(wanted):,} rows once, {len(surplus):,} are too many; remove them"
        )
    found = wanted.merge(rows, on=keys, how="left", suffixes=("_wanted", ""))
    missing = found["row"].isna()
    if missing.any():
        raise UserError(
            f"{source}: no row for {_named(found[missing].iloc[0])}; expected all {len(wanted):,} "
            f"of the evaluation set, {missing.sum():,} are missing; predict them too"
        )
    other = found[found["label"] != found["label_wanted"]]
    if len(other):
        first = other.iloc[0]
        raise UserError(
            f"{source}, {place.format(first['row'])}: label {first['label']} for {_named(first)}; "
            f"expected {first['label_wanted']} as in the evaluation set; predict the same split"
        )
    table = found[columns]
    if is_model:
        table = table.assign(
            text=table["text"].fillna("").astype(str), answer_mass=as_numbers(table["answer_mass"])
        )
    return table


def _named(row: pd.Series) -> str:
    return ", ".join(f"{name} {row[name]!r}" for name in KEYS)
