"""The page in a real browser, where one is installed."""

from pathlib import Path

import pytest

from newsrec.safety.report.page import render
from tests.report.browser import MARKS, dumped, shown_width
from tests.safety.report.test_page import computed

pytestmark = MARKS


@pytest.fixture(scope="module")
def page() -> str:
    return render(**computed())


def test_the_page_opens(page: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    dom = dumped(tmp_path / "page.html", tmp_path / "profile")
    assert "Threshold planner" in dom
    assert dom.count("<svg") >= 6


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen(width: int, page: str, tmp_path: Path) -> None:
    assert shown_width(page, width, tmp_path) == f"{width} px"
