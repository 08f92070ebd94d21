"""Tables as xlsx, every cell a string that reads back the same."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from newsrec.errors import UserError
from newsrec.files import atomic_file

# Numbers of characters as xlsx writes them, and what it writes so: in XML 1.0 they cannot be.
_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f]")
# An underscore that begins such a number, or would where the next character is written as one.
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}[_\x00-\x08\x0b-\x1f])")
MAX_UNITS = 32_767  # UTF-16 code units, of a cell
MAX_ROWS = 1 << 20  # of a sheet, the header among them
# Else the time of writing, and the same rows would never be the same file.
_CREATED = datetime(2000, 1, 1)
# The only characters that XML can hold neither as they are nor, to readers, as _xFFFE_.
_UNWRITABLE = re.compile("[\ufffe\uffff\ud800-\udfff]")


class _Sheet(Worksheet):  # type: ignore[misc]  # no types
    """xlsxwriter 3.3.1 writes `_x0041_x0042_`, where two numbers share a mark, as other text."""

    @staticmethod
    def _escape_control_characters(data: str) -> str:
        marked = _ESCAPE.sub("_x005F_", data)
        return _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", marked)


def write_xlsx(
    target: Path, header: Sequence[str], rows: Iterable[Sequence[str]], remedy: str
) -> None:
    """Write rows of strings below a header, atomically, one row in memory at a time.

    Each is written as a string, never as a formula, a number, a date or a link.

    Args:
        target: the file.
        header: names of the columns.
        rows: as many strings each.
        remedy: what to do about a string that no cell can hold; ends each message.

    Raises:
        UserError: a string is longer than a cell, or holds what xlsx cannot; or there are more
            rows than a sheet has.
    """
    with atomic_file(target) as draft:
        # The parts of the file are as large as it, which a small /tmp could not take.
        options = {"constant_memory": True, "tmpdir": str(draft.parent)}
        with Workbook(str(draft), options) as book:
            book.set_properties({"created": _CREATED})
            sheet = book.add_worksheet(worksheet_class=_Sheet)
            for number, row in enumerate(chain([header], rows)):
                if number == MAX_ROWS:
                    raise UserError(f"{target}: more rows than a sheet's {MAX_ROWS:,}; {remedy}")
                for column, text in enumerate(row):
                    if (fault := _fault(text)) is not None:
                        where = f"{target}, row {number + 1}, {header[column]}"
                        raise UserError(f"{where}: {fault}; {remedy}")
                    sheet.write_string(number, column, text)


def _fault(text: str) -> str | None:
    """Why no cell can hold a text; None where one can."""
    if (found := _UNWRITABLE.search(text)) is not None:
        return f"the text holds U+{ord(found[0]):04X}, which no xlsx can"
    # Each character is one or two units: most texts need not be encoded to be counted.
    if 2 * len(text) > MAX_UNITS and (units := len(text.encode("utf-16-le")) // 2) > MAX_UNITS:
        return f"the text has {units:,} UTF-16 units; expected at most a cell's {MAX_UNITS:,}"
    return None
