"""How a workbook shows its numbers, which python-calamine does not tell: 007 may be a 7 there."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, iterparse
from zipfile import ZipFile

_BOOK = "xl/workbook.xml"
# Of the formats that a workbook need not write out, those that show a number by its digits alone.
_BUILT_IN = {0: "General", 1: "0", 49: "@"}
_PLAIN = ("General", "@")
# The width of a character that is not shown, and a colour or a language.
_UNSEEN = re.compile(r"_.|\[[^\]]*\]")


def shown_otherwise(file: Path) -> dict[tuple[int, int], str]:
    """The format of each number of the first sheet that it does not show by its digits alone.

    Dates are numbers there too.

    Args:
        file: a workbook that python-calamine can read.

    Returns:
        By row and column, both counted from 1.
    """
    with ZipFile(file) as book:
        formats = _formats(book)
        found = {}
        for row, column, style, value in _numbers(book, _first_sheet(book)):
            code = formats.get(style, "General")
            if not _is_plain(code, value):
                found[row, column] = code
        return found


def _is_plain(code: str, value: float) -> bool:
    positive, *others = _UNSEEN.sub("", code).split(";")
    if others and value <= 0:
        return False
    return positive in _PLAIN or (positive == "0" and value.is_integer())


def _formats(book: ZipFile) -> dict[int, str]:
    """By style of a cell."""
    if "xl/styles.xml" not in book.namelist():
        return {}
    codes = dict(_BUILT_IN)
    found: dict[int, str] = {}
    inside = False
    for event, name, element in _elements(book, "xl/styles.xml"):
        if name == "cellXfs":
            inside = event == "start"
        elif event == "start" and name == "numFmt" and not inside:
            codes.setdefault(int(element.attrib["numFmtId"]), element.attrib["formatCode"])
        elif event == "start" and name == "xf" and inside:
            number = int(element.get("numFmtId", 0))
            found[len(found)] = codes.get(number, f"number {number} of Excel's own")
    return found


def _first_sheet(book: ZipFile) -> str:
    """The part of the first sheet."""
    ids = (
        value
        for event, name, element in _elements(book, _BOOK)
        if event == "start" and name == "sheet"
        for key, value in element.items()
        if _bare(key) == "id"
    )
    first = next(ids)
    targets = {
        element.attrib["Id"]: element.attrib["Target"]
        for event, name, element in _elements(book, "xl/_rels/workbook.xml.rels")
        if event == "start" and name == "Relationship"
    }
    target = targets[first]
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _numbers(book: ZipFile, part: str) -> Iterator[tuple[int, int, int, float]]:
    """Row, column, style and value of each number, one row in memory at a time."""
    row = 0
    for event, name, element in _elements(book, part):
        if event == "start":
            if name == "sheetData":
                rows = element
            elif name == "row":
                row = int(element.get("r", row + 1))
            continue
        if name != "row":
            continue
        column = 0
        for cell in element:
            column = _column(cell.attrib["r"]) if "r" in cell.attrib else column + 1
            values = [one.text for one in cell if _bare(one.tag) == "v"]
            if cell.get("t", "n") == "n" and values and values[0]:
                yield row, column, int(cell.get("s", 0)), float(values[0])
        rows.clear()


def _column(place: str) -> int:
    """The number of the column of a place such as AB12."""
    number = 0
    for letter in place.rstrip("0123456789"):
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _elements(book: ZipFile, part: str) -> Iterator[tuple[str, str, Element]]:
    with book.open(part) as stream:
        for event, element in iterparse(stream, ("start", "end")):
            yield event, _bare(element.tag), element


def _bare(name: str) -> str:
    """A name without its namespace, of which there are two."""
    return name.rpartition("}")[2]
