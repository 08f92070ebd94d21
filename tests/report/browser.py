"""A page in a real browser, where one is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

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

NEEDS_BROWSER = pytest.mark.skipif(
    BROWSER is None, reason="no chromium or google-chrome on this machine"
)


def dumped(page: Path, profile: Path) -> str:
    """The page's elements as the browser understood them."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return finished.stdout


def width_in_frame(page: str, width: int, folder: Path) -> str:
    """How wide a page is, like `390 px`, in a frame of `width` pixels.

    The page's policy, which would allow no script that measures, is taken off.
    """
    path, frame = folder / "page.html", folder / "frame.html"
    path.write_text(page.replace("Content-Security-Policy", "was") + MEASURE, encoding="utf-8")
    frame.write_text(FRAME.replace("{width}", str(width)), encoding="utf-8")
    return dumped(frame, folder / "profile").split("<title>")[1].split("</title>")[0]
