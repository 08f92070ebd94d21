"""A run of the published recipe is shown with the published figures and is called an artefact."""

from typing import Any

import pytest

from newsrec.news.report.page import render
from newsrec.news.report.published import ELSEWHERE, HEADS, beside_published
from newsrec.news.report.summary import summary_markdown
from newsrec.news.report.verdict import ARTEFACT, LEAK_TITLE
from tests.news.report.conftest import evaluation, probe
from tests.report.reading import HOSTILE

RULE = "no liked news means Yes"
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("undrawn")]


@pytest.fixture
def leaky(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `render`, of a run with one candidate an impression and the leak shown."""
    metrics = given["metrics"]
    metrics["protocol"] |= {"feedback": "same_impression", "candidates": "last"}
    for row in metrics.values():
        for key in ("auc", "mrr", "ndcg_at_5", "ndcg_at_10", "tie_rate"):
            for suffix in ("", "_low", "_high"):
                row.pop(key + suffix, None)
    for row in metrics.values():
        row.pop("detectable_auc", None)
    metrics["leak_probe"] |= {"accuracy": 0.979, "precision": 1.0, "recall": 0.811}
    given["slices"] = {"protocol": {}, "topic": {}}
    given["probe"] = probe(True, RULE)
    return given


def test_the_published_figures_and_the_rules_are_shown_with_those_of_the_run(
    leaky: dict[str, Any],
) -> None:
    rows = {row.name: row for row in beside_published(leaky["metrics"], RULE)}
    assert list(rows) == ["published", "rule on MINDsmall", "tuned", "leak_probe", "base"]
    values = {name: [value for value, _ in row.figures] for name, row in rows.items()}
    assert values["published"] == ["0.981", "1.000", "0.821"]
    assert values["rule on MINDsmall"] == ["0.979", "1.000", "0.811"]
    assert values["leak_probe"] == ["0.979", "1.000", "0.811"]
    assert values["tuned"] == ["0.600", "0.400", "0.700"]
    assert rows["tuned"].figures[0][1] == "0.570\u20130.630"
    assert RULE in rows["leak_probe"].about


def test_figures_from_elsewhere_are_labelled_as_such_and_have_no_interval(
    leaky: dict[str, Any],
) -> None:
    rows = {row.name: row for row in beside_published(leaky["metrics"], RULE)}
    assert "not measured in this run" in rows["published"].about
    assert "not in this run" in rows["rule on MINDsmall"].about
    for name in ELSEWHERE:
        assert [interval for _, interval in rows[name].figures] == [""] * len(HEADS)
    for name in ("tuned", "leak_probe", "base"):
        assert rows[name].about.startswith("this run")


def test_page_and_summary_show_the_table(leaky: dict[str, Any]) -> None:
    page = render(**leaky)
    assert "Published figures for reference" in page
    summary = summary_markdown(leaky["metrics"], leaky["model"], leaky["probe"])
    assert "| `published` | 0.981 | 1.000 | 0.821 | " in summary
    assert "| `tuned` | 0.600 | 0.400 | 0.700 | this run |" in summary
    for name, (words, _) in ELSEWHERE.items():
        assert name in page
        assert words.replace(">", "&gt;") in page
        assert words in summary


@pytest.mark.parametrize(("rule", "title"), [(0.68, ARTEFACT), (0.9, ARTEFACT), (0.5, LEAK_TITLE)])
def test_the_headline_is_the_leak_or_that_it_explains_the_gain(
    rule: float, title: str, leaky: dict[str, Any]
) -> None:
    gains = evaluation(probe=rule)["tuned_vs_leak_probe"]
    leaky["metrics"]["tuned_vs_leak_probe"] = {"accuracy": gains["accuracy"]}
    page = render(**leaky)
    assert f"<h1>{title}</h1>" in page
    assert f"<title>{title}</title>" in page
    summary = summary_markdown(leaky["metrics"], leaky["model"], leaky["probe"])
    assert summary.startswith(f"{title}. ")


@pytest.mark.parametrize(
    "other", [{"feedback": "earlier"}, {"feedback": "none"}, {"candidates": "all"}]
)
def test_a_run_of_another_recipe_is_shown_with_nothing_published(
    other: dict[str, str], leaky: dict[str, Any]
) -> None:
    leaky["metrics"]["protocol"] |= other
    assert beside_published(leaky["metrics"], RULE) == []
    assert "0.981" not in render(**leaky)
    assert "0.981" not in summary_markdown(leaky["metrics"], leaky["model"], leaky["probe"])


def test_the_headline_of_a_run_without_a_leak_is_what_fine_tuning_did(
    given: dict[str, Any],
) -> None:
    assert ARTEFACT not in render(**given)


def test_parts_of_the_evaluation_set_are_left_out_where_no_pair_can_be_ordered(
    leaky: dict[str, Any], given: dict[str, Any]
) -> None:
    assert "Subsets of the evaluation set" not in render(**leaky)
    given["slices"]["topic"] = {
        "food": {
            model: {"value": 0.6, "low": 0.5, "high": 0.7, "num_clicks": 9}
            for model in ("base", "tuned")
        }
    }
    assert "Subsets of the evaluation set" in render(**given)


def test_a_hostile_rule_stays_text(leaky: dict[str, Any]) -> None:
    leaky["probe"] |= {"rule": HOSTILE, "best_on_test": {"rule": HOSTILE, "auc": 1}}
    assert "<script" not in render(**leaky)
    summary = summary_markdown(leaky["metrics"], leaky["model"], leaky["probe"])
    (row,) = (line for line in summary.splitlines() if line.startswith("| `leak_probe` | 0.979 |"))
    assert "<script" not in row
    assert row.count("|") == 6
