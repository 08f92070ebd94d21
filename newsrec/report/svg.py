"""A matplotlib figure as inline SVG in the text colour of the page, light or dark."""

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Matplotlib does not support `currentColor`, and does not write black, the default, into the SVG.
# Ink is therefore drawn in a colour that nothing else uses, which is replaced in the final drawing.
INK = "#010203"

_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "newsrec",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
# The page's own sans-serif font is used; naming the fonts of this machine would only add bytes.
_FONT_FAMILY = re.compile(r"font-family:[^;]*;\s*")
# The same as a shorthand property, whose size must be kept.
_FONT = re.compile(r"font: (?:\S+ )*?(\d[\d.]*px)[^;]*")
_REFERRING = {"href", "clip-path"}


@contextmanager
def drawing(
    width: float, height: float, *, constrained: bool = True
) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure of `width` by `height` inches and its axes, with default settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        figure = Figure(figsize=(width, height), layout="constrained" if constrained else None)
        axes: Axes = figure.subplots()
        yield figure, axes


def inline_svg(
    figure: Figure, label: str, seed: str = "", texts: Mapping[str, str] | None = None
) -> str:
    """`figure` as one `<svg>` element without a fixed size; equal input gives equal bytes.

    Only ids that are referred to are kept. They are prefixed with a digest of `label` and `seed`,
    since matplotlib numbers every figure from one and a page has several figures.

    Args:
        figure: a figure from `drawing`, whose context must still be open.
        label: a description of the figure, for a screen reader.
        seed: distinguishes figures with the same label.
        texts: replacements for texts of the figure that equal a key. They are used for text from
            outside, which matplotlib could read as a formula or whose glyphs the font could lack.
    """
    texts = texts or {}
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    root = ET.fromstring(buffer.getvalue())
    digest = hashlib.sha256(f"{label}\0{seed}".encode("utf-8", "surrogatepass")).hexdigest()
    prefix = f"fig-{digest[:10]}-"
    for parent in list(root.iter()):
        for child in list(parent):
            # The metadata are for files, and the style sheet would apply to the whole page.
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    references = [
        value
        for element in root.iter()
        for name, value in element.attrib.items()
        if _local(name) in _REFERRING
    ]
    used = set(re.findall(r"#([\w-]+)", " ".join(references)))
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(name): value for name, value in element.attrib.items()}
        _adapt(element.attrib, prefix, used)
        if element.text is not None:
            element.text = texts.get(element.text, element.text)
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": label,
        "style": "font-family: sans-serif; stroke-linejoin: round",
    }
    return ET.tostring(root, encoding="unicode")


def _adapt(attributes: dict[str, str], prefix: str, used: set[str]) -> None:
    """Prefix ids and references, remove unused ids, and use the page's text colour and font."""
    if "id" in attributes and attributes["id"] not in used:
        del attributes["id"]
    elif "id" in attributes:
        attributes["id"] = prefix + attributes["id"]
    for name in _REFERRING & attributes.keys():
        attributes[name] = attributes[name].replace("#", f"#{prefix}")
    if "style" in attributes:
        style = _FONT_FAMILY.sub("", attributes["style"].replace(INK, "currentColor"))
        attributes["style"] = _FONT.sub(r"font-size: \1", style)


def _local(name: str) -> str:
    """An element's or attribute's name without its namespace, as in inline SVG of HTML."""
    return name.rpartition("}")[2]
