"""Figures take their ink from the page, are equal for equal input, and keep names as text."""

import re
import xml.etree.ElementTree as ET

import pandas as pd

from newsrec.report.figures import Dot, confusion_matrix, dot_plot, loss_curve, reliability
from tests.report.conftest import HOSTILE

CURVE = pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.4]})
POINTS = pd.DataFrame(
    {"kind": ["raw"], "mean_probability": [0.4], "click_rate": [0.2], "num_rows": [9]}
)


def dots(*names: str) -> str:
    return dot_plot(
        [(name, {"base": Dot(0.5, 0.4, 0.6), "tuned": Dot(0.6, 0.5, 0.7)}) for name in names],
        title="By topic",
        across="share",
        limits=(0.3, 0.8),
        reference=0.5,
    )


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter() if element.text]


def test_equal_input_gives_equal_bytes() -> None:
    assert loss_curve(CURVE, CURVE) == loss_curve(CURVE, CURVE)
    assert dots("food", "autos") == dots("food", "autos")


def test_ink_is_the_colour_of_the_page() -> None:
    for svg in (loss_curve(CURVE, CURVE), confusion_matrix(1, 2, 3, 4, "tuned"), dots("food")):
        assert "currentColor" in svg
        assert "#010203" not in svg
        assert "#000000" not in svg


def test_two_figures_on_one_page_share_no_id() -> None:
    one, other = (
        set(re.findall(r' id="([^"]+)"', svg))
        for svg in (confusion_matrix(1, 2, 3, 4, "base"), confusion_matrix(1, 2, 3, 4, "tuned"))
    )
    assert not one & other


def test_a_name_is_drawn_as_text_whatever_it_holds() -> None:
    svg = dots(HOSTILE, "$x^2$", "\u65b0\u95fb \U0001f600", "@0@")
    assert "<script" not in svg
    assert {"$x^2$", "\u65b0\u95fb \U0001f600", "@0@"} <= set(texts(svg))


def test_a_long_name_is_cut() -> None:
    assert any(text.endswith("\u2026") for text in texts(dots("w" * 100)))


def test_a_run_without_validation_or_calibration_is_drawn_too() -> None:
    assert "Validation: nothing logged." in loss_curve(CURVE, CURVE.iloc[:0])
    assert "0.40 clicked 0.20" in reliability(POINTS)
