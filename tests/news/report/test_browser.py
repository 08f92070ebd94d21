"""The page in a real browser, where one is installed."""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from newsrec.news.report.page import render
from newsrec.news.report.summary import summary_markdown
from tests.report.browser import NEEDS_BROWSER, dumped, width_in_frame

pytestmark = [pytest.mark.slow, NEEDS_BROWSER]


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
    assert width_in_frame(render(**given), width, tmp_path) == f"{width} px"


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
KEPT = ("kind", "engine")  # names of the code's own


def attacked(value: Any, attack: str) -> Any:
    """The value with an attack in every text, and for every name that comes from the data."""
    if isinstance(value, str):
        return f"{value} {attack}"
    if isinstance(value, list):
        return [attacked(one, attack) for one in value]
    if isinstance(value, dict):
        return {name: one if name in KEPT else attacked(one, attack) for name, one in value.items()}
    return value


@pytest.fixture
def attacks(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a page in whose every text, title and name of a topic is an attack."""
    for number, attack in enumerate(ATTACKS):
        given["mistakes"].append(attacked(given["mistakes"][0], attack))
        given["slices"]["topic"][f"{number} {attack}"] = given["slices"]["topic"]["food"]
        name = f"{number} {attack}"
        given["metrics"][name] = dict(given["metrics"]["nrms"])
        given["metrics"][f"tuned_vs_{name}"] = dict(given["metrics"]["tuned_vs_nrms"])
    every = " ".join(ATTACKS)
    for name in ("model", "probe", "audits"):
        given[name] = attacked(given[name], every)
    given["metrics"]["protocol"] = attacked(given["metrics"]["protocol"], every)
    return given


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


def test_no_script_of_the_data_runs(attacks: dict[str, Any], tmp_path: Path) -> None:
    page = render(**attacks)
    free = page.replace("Content-Security-Policy", "was")  # what is escaped does not need it
    assert free != page
    assert check_inert(free, tmp_path).elements["bdi"] > 50


def test_no_script_of_the_data_runs_in_the_summary(attacks: dict[str, Any], tmp_path: Path) -> None:
    text = summary_markdown(attacks["metrics"], attacks["model"], attacks["probe"])
    assert check_inert(shown(text), tmp_path).elements["code"] > 10


def test_no_script_of_the_data_runs_in_the_card_of_a_model(tmp_path: Path) -> None:
    cards = pytest.importorskip("newsrec.report.card", reason="no card is written yet")
    every = " ".join(ATTACKS)
    task = cards.TaskCard(title="A", purpose="B", data="C", licence="D", limits=["E"])
    base = {"source": "local", "name": every, "num_parameters": 8, "digest": every}
    text = cards.model_card(task, base, {"method": every, "data": every}, {"lora_target": every})
    assert check_inert(shown(text), tmp_path).elements["code"] >= 4


def shown(markdown: str) -> str:
    """A page as a site makes it of Markdown that it trusts: mark-up in it stays mark-up."""
    made = MarkdownIt("commonmark").enable("table").render(markdown)
    return f"<!doctype html><title>a</title>{made}"


def test_what_is_not_escaped_would_run_but_for_the_policy_of_the_page(
    given: dict[str, Any], tmp_path: Path
) -> None:
    page = render(**given).replace("</main>", "".join(ATTACKS) + "</main>")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    (tmp_path / "free.html").write_text(page.replace("Content-Security", "was"), encoding="utf-8")
    assert "<title>RUN</title>" in dumped(tmp_path / "free.html", tmp_path / "profile")
    assert "<title>RUN" not in dumped(tmp_path / "page.html", tmp_path / "profile")
