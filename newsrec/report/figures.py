"""Figures as inline SVG that takes its ink from the page, so one drawing serves light and dark."""

import hashlib
import io
import re
import xml.etree.ElementTree as ET

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

# Matplotlib knows no `currentColor`, and leaves black out of the SVG as the default; so ink is
# drawn in a colour that nothing else uses, and is exchanged in the finished drawing.
INK = "#010203"
TRAIN_COLOR = "#3b8bd9"
VAL_COLOR = "#e0782f"
CELL_COLOR = "#3b8bd9"
# Under half: the page's own text colour has to stay readable on the fullest cell in both modes.
CELL_MAX_ALPHA = 0.45
# A line through fewer points than this is hard to tell from a line through many.
MARKER_MAX_POINTS = 40

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
_REFERRING = {"href", "clip-path"}
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    """`text` on one line; what HTML, XML or UTF-8 cannot hold, or what turns text round, as U+FFFD.

    Bidirectional controls are among them: a title must not change the order of what follows it.
    """
    return _UNPRINTABLE.sub("\ufffd", " ".join(text.split()))


def loss_curve(train: pd.DataFrame, val: pd.DataFrame) -> str:
    """Loss by optimiser step, as inline SVG.

    Args:
        train: columns step and loss, one row for each logged step.
        val: columns step and loss, one row for each validation; may be empty.
    """
    with matplotlib.rc_context():
        figure, axes = _blank(width=5.6, height=3.3)
        for name, frame, color in (("train", train, TRAIN_COLOR), ("val", val, VAL_COLOR)):
            few = len(frame) <= MARKER_MAX_POINTS
            axes.plot(
                frame["step"].to_numpy(),
                frame["loss"].to_numpy(),
                label=name,
                color=color,
                linewidth=1.6,
                marker="o" if few else "",
                markersize=4,
            )
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
        axes.legend()
        label = f"Loss by step. {_series('Training', train)} {_series('Validation', val)}"
        return _svg(figure, label)


def confusion_matrix(tn: int, fp: int, fn: int, tp: int, title: str) -> str:
    """Truth in rows, answer in columns, as inline SVG; a cell's shade is its share of its row.

    `title` becomes part of the accessible label and of the ids, so figures on one page need
    different titles. It is not drawn: an arbitrary name may hold glyphs the plotting font lacks.
    """
    rows = (("not clicked", (tn, fp)), ("clicked", (fn, tp)))
    with matplotlib.rc_context():
        figure, axes = _blank(width=4.2, height=2.9)
        for row, (_, counts) in enumerate(rows):
            for column, count in enumerate(counts):
                _cell(axes, row, column, count, sum(counts))
        axes.set_xlim(0, 2)
        axes.set_ylim(2, 0)
        axes.set_xticks([0.5, 1.5], ["No", "Yes"])
        axes.set_yticks([0.5, 1.5], [name for name, _ in rows])
        axes.set_xlabel("answer")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        label = (
            f"Confusion matrix of {printable(title)}: {tp} true positives, {fp} false positives, "
            f"{fn} false negatives, {tn} true negatives."
        )
        return _svg(figure, label, seed=title)


def _blank(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of `width` by `height` inches, free of the user's own matplotlibrc."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(_RC)
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _cell(axes: Axes, row: int, column: int, count: int, row_total: int) -> None:
    """One cell of a confusion matrix: shade, count and share of its row."""
    share = count / row_total if row_total else 0.0
    shade = Rectangle((column, row), 1, 1, facecolor=CELL_COLOR, alpha=CELL_MAX_ALPHA * share)
    frame = Rectangle((column, row), 1, 1, fill=False, edgecolor=INK, alpha=0.35, linewidth=0.8)
    axes.add_patch(shade)
    axes.add_patch(frame)
    percent = f"{share:.1%} of row" if row_total else "no such row"
    axes.text(column + 0.5, row + 0.45, f"{count:,}", ha="center", va="center", fontsize=14)
    axes.text(column + 0.5, row + 0.72, percent, ha="center", va="center", fontsize=9)


def _series(name: str, frame: pd.DataFrame) -> str:
    """A sentence that tells a screen reader what a line shows."""
    if frame.empty:
        return f"{name}: nothing logged."
    last = frame.iloc[-1]
    return f"{name}: {len(frame)} points, {last['loss']:.4f} at step {int(last['step'])}."


def _svg(figure: Figure, label: str, seed: str = "") -> str:
    """`figure` as one `<svg>` element without a fixed size; equal input gives equal bytes.

    Only ids that something refers to are kept, prefixed by a digest of `label` and `seed`, since
    matplotlib numbers every figure from one and a page holds several.
    """
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
        attributes = element.attrib
        if "id" in attributes and attributes["id"] not in used:
            del attributes["id"]
        elif "id" in attributes:
            attributes["id"] = prefix + attributes["id"]
        for name in _REFERRING & attributes.keys():
            attributes[name] = attributes[name].replace("#", f"#{prefix}")
        if "style" in attributes:
            style = attributes["style"].replace(INK, "currentColor")
            attributes["style"] = _FONT_FAMILY.sub("", style)
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": label,
        "style": "font-family: sans-serif; stroke-linejoin: round",
    }
    return ET.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    """An element's or attribute's name without its namespace; HTML knows inline SVG without."""
    return name.rpartition("}")[2]
