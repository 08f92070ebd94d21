"""Labelled documents from files: xlsx, csv, jsonl and Parquet, each string as it is in the file.

"NA" stays NA, 007 keeps its zeros, and a cell that begins with = is text. A text that is a number
in a workbook is refused: it may be shown as 007 there and is kept as 7.
"""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from newsrec.archives import open_zip
from newsrec.errors import UserError, unknown_choice
from newsrec.files import read_lines
from newsrec.safety.sources.documents import Document

ID_COLUMN = "id"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # how an .xls begins, and an .xlsx with a password
_MAX_XLSX_BYTES = 4 << 30  # unpacked; python-calamine reads a sheet as a whole
_MAX_CELL_CHARS = 1 << 24  # of a csv
_MAX_WHOLE = 1 << 53  # beyond it a cell's number has lost digits

Record = dict[str, Any]  # a row, by the columns that were asked for


def read_documents(path: Path, text: str, label: str, tags: str | None) -> Iterator[Document]:
    """Every row of a file, or of all the files of a folder in the order of their names.

    A row is identified by its column `id`, else by its place and its text.

    Args:
        path: the file, or the folder.
        text: the column of texts.
        label: the column of labels.
        tags: the column of tags; None where there is none.

    Raises:
        UserError: there is no file of these kinds, a column is missing, or a file is damaged.
    """
    optional = (ID_COLUMN, tags) if tags else (ID_COLUMN,)
    for file in _files(path):
        for number, record in _READERS[file.suffix.lower()](file, (text, label), optional):
            given, where = record.get(ID_COLUMN), f"{file.name}:{number}"
            has_id = given is not None and given != ""
            key = str(given) if has_id else f"{where}\0{record[text]}"
            yield Document(
                key=key.encode(errors="surrogatepass"),
                id=str(given).encode(errors="backslashreplace").decode() if has_id else where,
                text=record[text],
                labels=record[label],
                tags=record.get(tags) if tags else None,
            )


def _files(path: Path) -> list[Path]:
    """The files to read, their kinds checked."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; set extract.path (data.path)")
    found = [path]
    if path.is_dir():
        kinds = (*_READERS, ".xls")
        # Not what hides, nor the locks that Excel leaves beside open files.
        found = sorted(
            one
            for one in path.iterdir()
            if one.suffix.lower() in kinds and not one.name.startswith((".", "~$"))
        )
    if not found:
        raise UserError(f"{path}: no file of {', '.join(_READERS)} in it; put one there")
    for file in found:
        with file.open("rb") as stream:
            is_ole = stream.read(len(_OLE)) == _OLE
        if is_ole or file.suffix.lower() == ".xls":
            raise UserError(
                f"{file}: an old .xls, or a workbook with a password; expected .xlsx without; "
                "open it and save it as Excel workbook (.xlsx)"
            )
        if file.suffix.lower() not in _READERS:
            raise unknown_choice(f"{file}: the ending", file.suffix, _READERS)
    return found


def _require(
    where: str, columns: Sequence[object], wanted: Sequence[str], optional: Sequence[str]
) -> None:
    """Refuse a table that lacks a wanted column, or has two of one that is read."""
    for name in wanted:
        if name not in columns:
            what = f"{where}: has no such column; the column in extract.text_field or label_field"
            raise unknown_choice(what, name, [str(one) for one in columns][:20])
    for name in (*wanted, *optional):
        if list(columns).count(name) > 1:
            raise UserError(
                f"{where}: {list(columns).count(name)} columns are called {name!r}; expected one; "
                "rename the others"
            )


def _read_xlsx(
    file: Path, wanted: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, Record]]:
    """The rows of the first sheet below its header, with their numbers as Excel shows them."""
    with open_zip(file, _MAX_XLSX_BYTES, "save it again as .xlsx"):
        pass
    try:
        with CalamineWorkbook.from_path(file) as book:
            sheet = book.get_sheet_by_index(0)
            # Tables need not begin in the corner; a row without any cell is none.
            rows = ((n, row) for n, row in enumerate(sheet.iter_rows(), 1) if set(row) != {""})
            header = [str(one) for one in next(rows, (0, []))[1]]
            where = f"{file}, sheet {sheet.name!r} (only the first sheet is read)"
            _require(where, header, wanted, optional)
            places = {name: header.index(name) for name in (*wanted, *optional) if name in header}
            text = wanted[0]
            for number, row in rows:
                if _is_number(value := row[places[text]]):
                    raise UserError(
                        f"{file}, row {number}, column {text!r}: the number {_cell(value)}, which "
                        "the sheet may show in another way, like 007; expected text; save the "
                        "sheet as CSV UTF-8, which keeps what is shown, and read that"
                    )
                yield number, {name: _cell(row[place]) for name, place in places.items()}
    except CalamineError as error:
        raise UserError(f"{file}: no readable workbook ({error}); save it again as .xlsx") from None


def _cell(value: object) -> object:
    """A cell as text: a number by its digits; a date or a truth value stays what it is."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_WHOLE:
        return str(int(value))
    return str(value) if _is_number(value) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_csv(
    file: Path, wanted: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, Record]]:
    """The rows of a comma-separated file, with the line on which each ends."""
    csv.field_size_limit(_MAX_CELL_CHARS)
    # A byte order mark is Excel's; line ends inside quotes stay as they are.
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        try:
            header = next(rows, [])
            _require(str(file), header, wanted, optional)
            places = {name: header.index(name) for name in (*wanted, *optional) if name in header}
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    raise UserError(
                        f"{file}, line {rows.line_num}: {len(row)} cells; expected {len(header)} "
                        "as in the header; quote texts that hold a comma or a line end"
                    )
                yield rows.line_num, {name: row[place] for name, place in places.items()}
        except UnicodeDecodeError:
            raise UserError(
                f"{file}: is not UTF-8 after line {rows.line_num}; save it as CSV UTF-8, or turn "
                "it into it: iconv -f gb18030 -t utf-8"
            ) from None
        except csv.Error as error:
            raise UserError(
                f"{file}, line {rows.line_num}: {error}; save it as CSV again"
            ) from None


def _read_jsonl(
    file: Path, wanted: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, Record]]:
    """The objects of a file with one on each line, with their lines."""
    names, present = (*wanted, *optional), set[str]()
    with file.open("rb") as stream:
        for number, line in read_lines(stream, str(file)):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{file}, line {number}: no JSON ({error}); correct it") from None
            if not isinstance(record, dict):
                raise UserError(f"{file}, line {number}: expected a JSON object, as {{...}}")
            present |= record.keys()
            yield number, {name: record.get(name) for name in names}
    # Some programs leave a key out where it has no value, but not everywhere.
    _require(str(file), sorted(present), wanted, optional)


def _read_parquet(
    file: Path, wanted: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, Record]]:
    """The rows of a Parquet file, counted from 1, a batch in memory at a time."""
    try:
        with pq.ParquetFile(file) as table:
            columns = table.schema_arrow.names
            _require(str(file), columns, wanted, optional)
            present = [name for name in (*wanted, *optional) if name in columns]
            number = 0
            for batch in table.iter_batches(batch_size=4096, columns=present):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file}: no readable Parquet file ({error}); write it again") from None


_Reader = Callable[[Path, Sequence[str], Sequence[str]], Iterator[tuple[int, Record]]]
_READERS: dict[str, _Reader] = {
    ".xlsx": _read_xlsx,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
