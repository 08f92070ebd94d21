"""Files and folders that appear whole or not at all, and the formats the stages exchange."""

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from newsrec.errors import UserError, unknown_choice

if TYPE_CHECKING:
    import pandas as pd

MAX_LINE_BYTES = 1 << 24
# What may lie beside files of external systems: documents, and what DVC and Git put there.
_DOCUMENTS = (".md", ".dvc")


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` that becomes `target` on success and is gone on error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o644)  # mkstemp's 0600 would keep the rest of a team out
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target`; it replaces `target` on success and is gone on error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield draft
        draft.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def named_files(
    folder: Path, suffixes: Sequence[str], taken: Collection[str], holds: str, becomes: str
) -> Iterator[Path]:
    """The files of external systems, each named after its system; documents are passed over.

    Args:
        folder: of the files; need not exist.
        suffixes: of the kinds that are read, in lower case.
        taken: names that other systems have.
        holds: what is in the files, for errors, like "predictions".
        becomes: what a file becomes, for errors, like "predictor".

    Raises:
        UserError: a file is of another kind, or its name is taken or no plain word.
    """
    known = [*taken]
    for path in sorted(folder.glob("*")):
        kind = path.suffix.lower()
        if path.name.startswith(".") or kind in _DOCUMENTS:
            continue
        if kind not in suffixes or not path.is_file():
            raise UserError(
                f"{path}: cannot be read as {holds}; expected files "
                f"{', '.join(f'NAME{suffix}' for suffix in suffixes)}; convert it, or move it away"
            )
        # It becomes a key of metrics, where a dot would be a level; those of gains begin so.
        if not re.fullmatch(r"(?!tuned_vs_)[A-Za-z0-9_-]+", path.stem) or path.stem in known:
            raise UserError(
                f"{path}: cannot become the {becomes} {path.stem!r}; expected letters, digits, - "
                f"and _, other than {', '.join(sorted(known))}; rename the file"
            )
        known.append(path.stem)
        yield path


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_file(target) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: Path, values: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write `values` as indented JSON, atomically.

    Raises:
        ValueError: a value is NaN or infinite; readers of `dvc metrics --json` choke on a bare NaN.
    """
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(target, text + "\n")


def read_lines(stream: BinaryIO, name: str, line: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line without its \\n), one in memory at a time, split at \\n alone.

    Args:
        stream: is read to its end.
        name: of the file, for errors.
        line: how many lines of the file are before the stream.

    Raises:
        UserError: a line that is too long to be one.
    """
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        line += 1
        if len(raw) > MAX_LINE_BYTES:
            raise UserError(
                f"{name}, line {line}: more than {MAX_LINE_BYTES:,} bytes without a line end; "
                "expected a row; the file is damaged, or of another kind: make or fetch it again"
            )
        yield line, raw.removesuffix(b"\n")


def read_text_lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines of `read_lines` as text, without the \\r and the byte order mark of Windows.

    Raises:
        UserError: a line that is not UTF-8, or too long to be one.
    """
    for number, line in read_lines(stream, name):
        try:
            encoding = "utf-8-sig" if number == 1 else "utf-8"
            yield line.removesuffix(b"\r").decode(encoding)
        except UnicodeDecodeError as error:
            raise UserError(f"{name}, line {number}: not UTF-8 ({error}); convert it") from None


def requested_lines(source: str) -> Iterator[str]:
    """Yield the lines of a file that a person names, or of standard input for `-`.

    Raises:
        UserError: there is no such file, or see `read_text_lines`.
    """
    if source == "-":
        yield from read_text_lines(sys.stdin.buffer, "standard input")
        return
    path = Path(source)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected JSON lines of requests")
    with path.open("rb") as stream:
        yield from read_text_lines(stream, source)


def parse_json_line(line: str, where: str) -> Any:
    """The value of one line of JSON; `where` names its file and its number there.

    Raises:
        UserError: it is not JSON.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = str(error)
        if isinstance(error, json.JSONDecodeError):  # its own text says "line 1" of every line
            reason = f"{error.msg} at column {error.colno}"
        raise UserError(f"{where}: not JSON ({reason}); correct it") from None


def read_json(source: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: the file is missing, or holds no JSON object.
    """
    found: dict[str, Any] = _read_json(source, dict, "object")
    return found


def read_json_list(source: Path) -> list[Any]:
    """Read a JSON array.

    Raises:
        UserError: the file is missing, or holds no JSON array.
    """
    found: list[Any] = _read_json(source, list, "array")
    return found


def _read_json(source: Path, kind: type, expected: str) -> Any:
    try:
        values = json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{source}: no such file; run the stage that makes it (dvc repro)"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: expected a JSON {expected}, found {error}") from None
    if not isinstance(values, kind):
        raise UserError(f"{source}: expected a JSON {expected}, found {type(values).__name__}")
    return values


def read_texts(
    source: Path, columns: Sequence[str], rows_at_once: int = 4096
) -> Iterator[list[list[str]]]:
    """Yield these columns of a Parquet file, as many rows at once; a null is an empty text.

    Raises:
        UserError: no such file, no Parquet, or a column is missing or no string.
    """
    # Most of what reads files reads no table.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source) as table:
            schema = table.schema_arrow
            for name in columns:
                if name not in schema.names:
                    raise unknown_choice(f"{source}: column", name, schema.names)
                kind = schema.field(name).type
                if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                    raise UserError(f"{source}: column {name} is {kind}; expected string")
            for batch in table.iter_batches(rows_at_once, columns=list(columns)):
                yield [batch[name].fill_null("").to_pylist() for name in columns]
    except FileNotFoundError:
        raise UserError(
            f"{source}: no such file; run the stage that makes it (dvc repro)"
        ) from None
    except pa.ArrowInvalid as error:
        raise UserError(f"{source}: not a complete Parquet file ({error}); make it again") from None


def read_table(source: Path, columns: Sequence[str]) -> "pd.DataFrame":
    """These columns of a Parquet file.

    Raises:
        UserError: the file is missing, no Parquet, or lacks a column.
    """
    # Most of what reads files reads no table.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source) as file:
            names = file.schema_arrow.names
            if missing := [name for name in columns if name not in names]:
                raise UserError(
                    f"{source}: no column {', '.join(missing)}; expected {list(columns)}, found "
                    f"{names}; make it again with: dvc repro"
                )
            table: pd.DataFrame = file.read(list(columns)).to_pandas()
    except FileNotFoundError:
        raise UserError(f"{source}: no such file; make it with: dvc repro") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{source}: not a Parquet file ({error}); make it again") from None
    return table


def write_tsv(target: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a small tab-separated table, atomically; for what `dvc plots` draws."""
    lines = ["\t".join(header)]
    lines += ["\t".join(str(value) for value in row) for row in rows]
    write_text(target, "\n".join(lines) + "\n")


def require_model_folder(folder: Path) -> None:
    """Refuse a path that is no folder, before a library takes it for the name of a model on a hub.

    Raises:
        UserError: it is none.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder, expected one with a model; where a stage writes it, run "
            "dvc repro, or dvc pull if a remote has it"
        )


def sha256_file(source: Path) -> str:
    """SHA-256 of one file, as hexadecimal."""
    with source.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_folder(folder: Path) -> str:
    """SHA-256 over the sorted relative names and contents of every file below `folder`."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def size_folder(folder: Path) -> int:
    """Bytes in the files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
