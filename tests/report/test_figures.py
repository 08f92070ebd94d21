"""Figures take their ink from the page, are equal for equal input, and keep names as text."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from newsrec.report.curves import (
    loss_curve,
    precision_recall_curves,
    reliability,
    roc_curves,
    step_curves,
)
from newsrec.report.figures import Dot, confusion_matrix, dot_limits, dot_plot
from tests.report.reading import HOSTILE, matrix_cells, texts

pytestmark = pytest.mark.slow

CURVE = pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.4]})
POINTS = pd.DataFrame(
    {"kind": ["raw"], "mean_probability": [0.4], "positive_rate": [0.2], "num_rows": [9]}
)
ROC = pd.DataFrame({"false_positive_rate": [0.0, 0.5, 1.0], "true_positive_rate": [0.0, 1.0, 1.0]})
CLASSES = ("world", "sports", "science")


def dots(*names: str, series: Sequence[str] = ("base", "tuned")) -> str:
    return dot_plot(
        [(name, {one: Dot(0.5, 0.4, 0.6) for one in series}) for name in names],
        title="By topic",
        across="share",
        limits=(0.3, 0.8),
        reference=0.5,
    )


def loss(val: pd.DataFrame = CURVE) -> str:
    return loss_curve(CURVE, val, y_label="loss, nats")


def matrix(
    counts: object = ((1, 2, 3), (40, 50, 60), (700, 800, 900)),
    rows: Sequence[str] = CLASSES,
    columns: Sequence[str] = CLASSES,
    title: str = "tuned",
) -> str:
    return confusion_matrix(
        np.array(counts), row_names=rows, column_names=columns, title=title, x_label="answer"
    )


def strokes(svg: str, dashes: bool = False) -> set[str]:
    """The colours that lines are drawn in, with their dashes if asked for."""
    styles = [element.attrib.get("style", "") for element in ET.fromstring(svg).iter()]
    colors = [(style, re.search(r"stroke: (#\w+)", style)) for style in styles]
    return {
        found[1] + (str(re.findall(r"stroke-dasharray: [^;]*", style)) if dashes else "")
        for style, found in colors
        if found
    }


def test_equal_input_gives_equal_bytes() -> None:
    assert loss() == loss()
    assert dots("food", "autos") == dots("food", "autos")


def test_ink_is_the_colour_of_the_page() -> None:
    for svg in (loss(), matrix(), dots("food"), roc_curves({"one": ROC, "other": ROC})):
        assert "currentColor" in svg
        assert "#010203" not in svg
        assert "#000000" not in svg


def test_two_figures_on_one_page_share_no_id() -> None:
    one, other = (
        set(re.findall(r' id="([^"]+)"', svg))
        for svg in (matrix(title="base"), matrix(title="tuned"))
    )
    assert one
    assert not one & other


def test_a_cell_has_the_count_and_share_of_its_label_and_prediction() -> None:
    assert matrix_cells(matrix()) == {
        ("world", "world"): ["1", "16.7% of row"],
        ("world", "sports"): ["2", "33.3% of row"],
        ("world", "science"): ["3", "50.0% of row"],
        ("sports", "world"): ["40", "26.7% of row"],
        ("sports", "sports"): ["50", "33.3% of row"],
        ("sports", "science"): ["60", "40.0% of row"],
        ("science", "world"): ["700", "29.2% of row"],
        ("science", "sports"): ["800", "33.3% of row"],
        ("science", "science"): ["900", "37.5% of row"],
    }


def test_a_screen_reader_gets_the_same_cells() -> None:
    svg = matrix([[1, 2], [3, 4]], ("bad", "good"), ("No", "Yes"))
    assert "answer by label. bad: No 1, Yes 2; good: No 3, Yes 4." in svg


def test_the_shade_of_a_cell_grows_with_its_share_of_the_row() -> None:
    svg = matrix([[1, 3], [20, 20]], ("bad", "good"), ("No", "Yes"))
    alphas = [float(alpha) for alpha in re.findall(r"fill: #3b8bd9; opacity: ([\d.]+)", svg)]
    assert alphas == pytest.approx([0.45 / 4, 0.45 * 3 / 4, 0.45 / 2, 0.45 / 2])


def test_a_label_without_rows_has_no_share() -> None:
    svg = matrix([[1, 3], [0, 0]], ("bad", "good"), ("No", "Yes"))
    assert matrix_cells(svg)["good", "No"] == ["0", "no rows"]


def test_a_matrix_has_any_number_of_classes_and_names_of_any_characters() -> None:
    names = (HOSTILE[:6], "$x^2$", "\u65b0\u95fb", "w" * 30, ":0:", "joy")
    cells = matrix_cells(matrix(np.arange(36).reshape(6, 6), names, names))
    assert [counts[0] for counts in cells.values()] == [str(place) for place in range(36)]
    rows = list(dict.fromkeys(row for row, _ in cells))
    assert rows == ["<scrip", "$x^2$", "\u65b0\u95fb", "w" * 26 + "\u2026", ":0:", "joy"]
    columns = list(dict.fromkeys(column for _, column in cells))
    assert columns == ["<scrip", "$x^2$", "\u65b0\u95fb", "w" * 10 + "\u2026", ":0:", "joy"]


def test_a_name_is_drawn_as_text_whatever_it_holds() -> None:
    names = {"$x^2$", "\u65b0\u95fb \U0001f600", "@0@", ":0:"}
    svg = dots(HOSTILE, *names)
    assert "<script" not in svg
    assert names <= set(texts(svg))
    assert names <= set(texts(roc_curves(dict.fromkeys(sorted(names), ROC))))


def test_a_long_name_is_cut() -> None:
    assert any(text.endswith("\u2026") for text in texts(dots("w" * 100)))


@pytest.mark.slow  # a second and more
@pytest.mark.parametrize("num", [1, 2, 3, 6])
def test_series_are_all_drawn_and_differ(num: int) -> None:
    names = [f"class {place}" for place in range(num)]
    svg = roc_curves(dict.fromkeys(names, ROC))
    assert set(names) <= set(texts(svg))
    assert len(strokes(svg, dashes=True)) == num
    # Beyond five colours a marker makes the difference.
    assert len(strokes(dots("food", series=names))) == min(num, 5)
    points = pd.concat([POINTS.assign(kind=name) for name in names])
    curves = reliability(points, title="Models", x_label="predicted", y_label="found")
    assert set(names) <= set(texts(curves))


def test_roc_curves_name_their_areas() -> None:
    svg = roc_curves({"good": ROC, "none": ROC.iloc[:0]})
    assert "good: area 0.750, none: no curve." in svg


def test_precision_recall_curves_name_a_point() -> None:
    curve = pd.DataFrame({"recall": [1.0, 0.6, 0.0], "precision": [0.2, 0.9, 1.0]})
    series = {"good": curve, HOSTILE: curve.iloc[::-1], "none": curve.iloc[:0]}
    svg = precision_recall_curves(series, title="By class")
    assert "By class. good: precision 0.900 at recall 0.5" in svg
    assert "none: no curve." in svg
    assert "<script" not in svg
    assert {"recall", "precision", "good"} <= set(texts(svg))


def test_reliability_tells_a_screen_reader_its_points_and_axes() -> None:
    svg = reliability(POINTS, title="Model", x_label="predicted", y_label="share of ones")
    assert 'aria-label="Model: share of ones, by predicted. raw: 0.20 at 0.40."' in svg
    assert {"predicted", "share of ones", "raw"} <= set(texts(svg))


def test_a_run_without_validation_is_drawn_too() -> None:
    assert "Validation: nothing logged." in loss(CURVE.iloc[:0])


def test_limits_leave_room_for_every_interval_and_the_reference() -> None:
    assert dot_limits([Dot(0.5, 0.4, 0.6), Dot(0.7, 0.6, 0.9)], 0.5) == pytest.approx((0.37, 0.93))
    assert dot_limits([Dot(0.5, 0.4, 0.6)], 0.0) == pytest.approx((-0.036, 0.636))
    assert dot_limits([], 0.5) == pytest.approx((0.45, 0.55))


def test_four_long_column_names_are_whole_and_a_dozen_are_cut() -> None:
    names = ("数据平台相关问题", "通用问题", "无关问题", "outside the list")
    shown = texts(matrix([[1, 2, 3, 4]], rows=names[:1], columns=names))
    assert set(names) <= set(shown)
    many = [f"{place}{names[0]}" for place in range(12)]
    shown = texts(matrix([[1] * 12], rows=["a"], columns=many))
    assert many[0] not in shown


def test_curves_of_several_runs_are_in_one_plot_and_told_apart() -> None:
    series = {
        name: pd.DataFrame({"step": [0, 100], "value": [0.3, 0.3 + 0.01 * place]})
        for place, name in enumerate(("one", "two", "three", HOSTILE))
    }
    svg = step_curves(series, title="Two", y_label="figure")
    assert {"one", "two", "three", "figure", "step"} <= set(texts(svg))
    assert "<script" not in svg
    lines = strokes(svg, dashes=True)
    assert len(lines - strokes(step_curves({"a": CURVE.rename(columns={"loss": "value"})},
                               title="One", y_label="figure"), dashes=True)) >= 3  # fmt: skip
    label = ET.fromstring(svg).attrib["aria-label"]
    assert "two: 0.300 at step 0, 0.310 at step 100" in label
