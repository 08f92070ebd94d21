"""The page in a real browser, where one is installed."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from newsrec.report.page import render

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=2000",
]  # fmt: skip
# Put in a copy of the page alone: it has no script of its own, and its policy would allow none.
MEASURE = "<script>document.title = document.documentElement.scrollWidth + ' px'</script>"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine"),
]


@pytest.mark.parametrize("width", [500, 1200])
def test_the_page_opens_and_fits(width: int, given: dict[str, Any], tmp_path: Path) -> None:
    assert BROWSER is not None
    page = tmp_path / "page.html"
    page.write_text(
        render(**given).replace("Content-Security-Policy", "was") + MEASURE, encoding="utf-8"
    )
    profile, size = f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"
    command = [BROWSER, *FLAGS, profile, size, "--dump-dom", page.as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    dom = finished.stdout
    assert "Fine-tuning raised AUC per impression" in dom
    assert dom.count("<svg") >= 6
    scroll_width = int(dom.split("<title>")[1].split(" px")[0])
    assert scroll_width <= width
