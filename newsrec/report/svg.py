"""A matplotlib figure as inline SVG that takes its ink from the page, for light and dark alike."""

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Matplotlib knows no `currentColor`, and leaves black out of the SVG as the default; so ink is
# drawn in a colour that nothing else uses, and is exchanged in the finished drawing.
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
# The page's own sans-serif serves; naming the plotting machine's fonts would only add bytes.
_FONT_FAMILY = re.compile(r"font-family:[^;]*;\s*")
# Or as a shorthand; the size has to stay.
_FONT = re.compile(r"font: (?:\S+ )*?(\d[\d.]*px)[^;]*")
_REFERRING = {"href", "clip-path"}


@contextmanager
def drawing(
    width: float, height: float, *, constrained: bool = True
) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure of `width` by `height` inches and its axes, free of a user's matplotlibrc."""
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

    Only ids that something refers to are kept, prefixed by a digest of `label` and `seed`, since
    matplotlib numbers every figure from one and a page holds several.

    Args:
        figure: of `drawing`, and still inside it.
        label: tells a screen reader what the figure shows.
        seed: parts figures of one label.
        texts: what to write where the figure says one of the keys. Foreign text goes this way: it
            may hold glyphs that the plotting font lacks, or be read as a formula.
    """
    texts = texts or {}
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    root = ET.fromstring(buffer.getvalue())
    digest = hashlib.sha256(f"{label}\0{seed}".encode("utf-8", "surrogatepass")).hexdigest()
    prefix = f"fig-{digest[:10]}-"
    for parent in list(root.iter()):
        for child in list(parent):
            # The metadata is for files; the style sheet would reach out of the figure.
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
    """Ids and references with `prefix`, ids that are not used away, ink and font the page's."""
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
    """An element's or attribute's name without its namespace; HTML knows inline SVG without."""
    return name.rpartition("}")[2]
