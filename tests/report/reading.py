"""What a reader finds on a page or in a figure."""

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from html.parser import HTMLParser

# A name from outside that tries everything.
HOSTILE = '<script>alert("x")</script> | `a` "b" \x07 </style>'


class Page(HTMLParser):
    """The tags of a page, the addresses they load, and its tables as rows of cells' texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.tables: list[list[list[str]]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self._in_cell = True
        elif tag == "small" and self._in_cell:
            self.tables[-1][-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    def table(self, *heads: str) -> list[list[str]]:
        """The rows below the one table with these heads."""
        (found,) = (rows for rows in self.tables if rows and rows[0] == list(heads))
        return found[1:]


def texts(svg: str) -> list[str]:
    """The texts drawn in a figure."""
    return [element.text or "" for element in ET.fromstring(svg).iter() if element.text]


def matrix_cells(svg: str) -> dict[tuple[str, str], list[str]]:
    """The texts in each cell of a confusion matrix, by the labels beside and below the cell."""
    rows: dict[str, float] = {}
    below: dict[str, tuple[float, float]] = {}
    inside: list[tuple[str, float, float]] = []
    for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        text, x, y = element.text or "", float(element.attrib["x"]), float(element.attrib["y"])
        style = element.attrib["style"]
        if "text-anchor: end" in style:
            rows[text] = y
        elif "font-size: 11px" in style:
            below[text] = (x, y)
        else:
            inside.append((text, x, y))
    # The lowest text is the title of the axis.
    lowest = max(y for _, y in below.values())
    columns = {text: x for text, (x, y) in below.items() if y < lowest}
    cells: dict[tuple[str, str], list[str]] = defaultdict(list)
    for text, x, y in inside:
        row = min(rows, key=lambda name: abs(rows[name] - y))
        column = min(columns, key=lambda name: abs(columns[name] - x))
        cells[row, column].append(text)
    return dict(cells)


def figure_labelled(page: str, words: str) -> str:
    """The one figure of a page whose accessible label begins with `words`."""
    figures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    (found,) = (svg for svg in figures if f'aria-label="{words}' in svg)
    return found
