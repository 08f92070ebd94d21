"""The page in a real browser, where one is installed."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from newsrec.news.report.page import render

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--hide-scrollbars", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update",
    "--virtual-time-budget=2000",
]  # fmt: skip
# Put in a copy of the page alone: it has no script of its own, and its policy would allow none.
MEASURE = "<script>parent.postMessage(document.documentElement.scrollWidth, '*')</script>"
# A window is never narrower than about 500 pixels; a frame in it can be as narrow as a phone.
FRAME = """<!doctype html><title>waiting</title>
<script>onmessage = (message) => { document.title = message.data + " px" }</script>
<iframe src="page.html" style="border: 0; width: {width}px; height: 900px"></iframe>
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine"),
]


def dumped(page: Path, profile: Path) -> str:
    """The page's elements as the browser understood them."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return finished.stdout


def test_the_page_opens(given: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(render(**given), encoding="utf-8")
    dom = dumped(page, tmp_path / "profile")
    assert "<h1>The tuned model is better than its base</h1>" in dom
    assert dom.count("<svg") >= 6


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen(
    width: int, given: dict[str, Any], tmp_path: Path
) -> None:
    page, frame = tmp_path / "page.html", tmp_path / "frame.html"
    free = render(**given).replace("Content-Security-Policy", "was")
    page.write_text(free + MEASURE, encoding="utf-8")
    frame.write_text(FRAME.replace("{width}", str(width)), encoding="utf-8")
    dom = dumped(frame, tmp_path / "profile")
    assert dom.split("<title>")[1].split("</title>")[0] == f"{width} px"
