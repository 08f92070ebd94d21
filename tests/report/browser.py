"""A page in a real browser, where one is installed, and what would run in it if it were mark-up."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Collection
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

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

MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine"),
]


def dumped(page: Path, profile: Path) -> str:
    """The page's elements as the browser understood them."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return finished.stdout


def shown_width(page: str, width: int, folder: Path) -> str:
    """How wide a page is, in a frame of a width in pixels, like `390 px`."""
    free = page.replace("Content-Security-Policy", "was")
    (folder / "page.html").write_text(free + MEASURE, encoding="utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME.replace("{width}", str(width)), encoding="utf-8")
    return dumped(frame, folder / "profile").split("<title>")[1].split("</title>")[0]


# What runs where a text becomes mark-up: as an element, out of an attribute, out of a style, out of
# a drawing. Each puts its mark into the title of the page, which the browser then shows.
SCRIPT = "document.title='RUN'"
ATTACKS = [
    f"<script>{SCRIPT}</script>",
    f"<img src=x onerror={SCRIPT}>",
    f"</bdi></li><svg onload={SCRIPT}>",
    f'"><body onload={SCRIPT}>',
    f"</style><script>{SCRIPT}</script>",
    f"]]></text></svg><script>{SCRIPT}</script>",
    f"{{{{ self }}}}<!--><script>{SCRIPT}</script>",
    f"<\u200b/title><script>{SCRIPT}</script>",
    f"<iframe srcdoc='<script>parent.{SCRIPT}</script>'></iframe>",
]


def attacked(value: Any, attack: str, kept: Collection[str] = ()) -> Any:
    """The value with an attack in every text but those under the names `kept`, the code's own."""
    if isinstance(value, str):
        return f"{value} {attack}"
    if isinstance(value, list):
        return [attacked(one, attack, kept) for one in value]
    if isinstance(value, dict):
        return {
            name: one if name in kept else attacked(one, attack, kept)
            for name, one in value.items()
        }
    return value


class Names(HTMLParser):
    """The names of the elements and of their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes.update(name for name, _ in attrs)


def check_inert(page: str, folder: Path) -> Names:
    """Open a page without any policy: no script runs, and nothing of the data is an element."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    dom = dumped(folder / "page.html", folder / "profile")
    assert dom.count("RUN") > 10, "the attacks are not in the page"
    assert "<title>RUN" not in dom
    found = Names(dom)
    assert not found.elements.keys() & {"script", "img", "iframe", "object", "embed", "base"}
    assert not [name for name in found.attributes if name.startswith("on")]
    return found
