"""The shell and the macros that every report is made of."""

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from newsrec.report.page import render_page
from newsrec.report.tables import comparison_rows, figure_rows
from tests.report.reading import HOSTILE, Page

SHELL = {
    "kicker": "Sentences about six feelings",
    "title": "Fine-tuning raised accuracy",
    "lead": "By 0.1.",
    "notices": [("warn", "Tiny model.", "No evidence.")],
    "fingerprint": [("data", "made up"), ("rows", 12_345)],
}
TEMPLATE = """{% extends "shell.html.j2" %}
{% from "macros.html.j2" import card_rules, cards, columns, comparison_table, drawn, figure_table %}
{% block style %}
{{ card_rules(groups) }}
{{ card_rules(groups, "other") }}
{% endblock %}
{% block content %}
<p>{{ name }} {{ 0.12345 | score }} {{ -0.5 | signed }} {{ 0.0001 | p_value }}
{{ 1 | counted("row") }}</p>
{{ columns("count", ["train"], [("rows", [1234])]) }}
{{ figure_table("model", ["F1"], rows, "tuned") }}
{{ comparison_table("tuned minus", ["F1"], comparisons) }}
{{ drawn("Loss", svg) }}
{% call(item) cards(groups) %}
<b>{{ item }}</b>
{% endcall %}
{% call(item) cards(groups, "other") %}
<i>{{ item }}</i>
{% endcall %}
{% endblock %}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.html.j2").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path


def page(folder: Path, **changed: object) -> str:
    values = {
        "name": "plain",
        "rows": figure_rows(
            {"base": {"f1": 0.4}, "tuned": {"f1": 0.5, "f1_low": 0.4, "f1_high": 0.6}}, ["f1"]
        ),
        "comparisons": comparison_rows(
            {"base": {"f1": {"delta": 0.1, "low": -0.1, "high": 0.3, "p": 0.04}}, "other": {}},
            ["f1"],
        ),
        "svg": Markup("<svg></svg>"),
        "groups": [
            ("joy read as anger", ["first", "second"], "None."),
            ("unparsed", [], "No unparsed answers."),
        ],
    }
    return render_page(folder, "page.html.j2", **{**SHELL, **values, **changed})


def test_a_page_has_the_shell_around_its_content(folder: Path) -> None:
    text = page(folder)
    assert text.lstrip().startswith("<!doctype html>")
    assert "<title>Fine-tuning raised accuracy</title>" in text
    assert "<h1>Fine-tuning raised accuracy</h1>" in text
    assert "default-src 'none'" in text
    assert "--paper: #fff" in text
    assert '<p class="box warn" role="note"><strong>Tiny model.</strong> No evidence.</p>' in text
    assert "plain 0.123 \u22120.500 p &lt; 0.001\n1 row" in text
    assert [["data", "made up"], ["rows", "12,345"]] in Page(text).tables
    assert text.index("Tiny model.") < text.index("plain") < text.index("made up")


def test_tables_show_their_rows(folder: Path) -> None:
    found = Page(page(folder))
    assert found.table("count", "train") == [["rows", "1,234"]]
    assert found.table("model", "F1") == [["base", "0.400"], ["tuned", "0.500 0.400\u20130.600"]]
    assert found.table("tuned minus", "F1") == [
        ["base", "+0.100 \u22120.100 to +0.300 p = 0.040"],
        ["other", "\u2013"],
    ]
    assert page(folder).count('<tr class="highlighted">') == 1


def test_cards_are_shown_group_by_group(folder: Path) -> None:
    text = page(folder)
    assert "all (2)" in text
    assert '<label for="show-1">joy read as anger (2)</label>' in text
    assert text.count('<article class="group-1">') == 4
    assert '<p class="group-2 muted">No unparsed answers.</p>' in text
    assert "#show-2:checked ~ .cards > :not(.group-2) { display: none; }" in text
    assert "#show-3" not in text


def test_two_uses_of_cards_are_chosen_from_apart(folder: Path) -> None:
    text = page(folder)
    assert '<input class="filter" type="radio" name="other" id="other-2">' in text
    assert "#other-2:checked ~ .cards > :not(.group-2) { display: none; }" in text
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids)) == 6


def test_text_from_outside_stays_text(folder: Path) -> None:
    for key, value in {
        "name": HOSTILE,
        "title": HOSTILE,
        "lead": HOSTILE,
        "fingerprint": [(HOSTILE, HOSTILE)],
        "groups": [(HOSTILE, [HOSTILE], HOSTILE)],
        "rows": [(HOSTILE, [("0", HOSTILE)])],
    }.items():
        text = page(folder, **{key: value})
        assert "<script" not in text, key
        assert "\x07" not in text, key
        assert "alert" in text, key
        assert text.count("</style>") == 1, key


def test_a_value_that_is_missing_is_an_error(folder: Path) -> None:
    (folder / "page.html.j2").write_text("{{ absent }}", encoding="utf-8")
    with pytest.raises(UndefinedError, match="absent"):
        page(folder)
