"""The page in a real browser, where one is installed."""

from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from newsrec.news.report.page import render
from newsrec.news.report.summary import summary_markdown
from tests.report.browser import ATTACKS, MARKS, attacked, check_inert, dumped, shown_width

pytestmark = MARKS
KEPT = ("kind", "engine")  # names of the code's own


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
    assert shown_width(render(**given), width, tmp_path) == f"{width} px"


@pytest.fixture
def attacks(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a page in whose every text, title and name of a topic is an attack."""
    for number, attack in enumerate(ATTACKS):
        given["mistakes"].append(attacked(given["mistakes"][0], attack, KEPT))
        given["slices"]["topic"][f"{number} {attack}"] = given["slices"]["topic"]["food"]
        name = f"{number} {attack}"
        given["metrics"][name] = dict(given["metrics"]["nrms"])
        given["metrics"][f"tuned_vs_{name}"] = dict(given["metrics"]["tuned_vs_nrms"])
    every = " ".join(ATTACKS)
    for name in ("model", "probe", "audits"):
        given[name] = attacked(given[name], every, KEPT)
    given["metrics"]["protocol"] = attacked(given["metrics"]["protocol"], every, KEPT)
    return given


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
