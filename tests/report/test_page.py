"""The page says what was found, keeps to itself, and lets no title in as mark-up."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from newsrec.report.mistakes import most_confident_mistakes
from newsrec.report.page import render
from newsrec.report.summary import summary_markdown
from tests.report.conftest import HOSTILE, evaluation


class Tags(HTMLParser):
    """The tags of a page and the addresses they load."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def tags(page: str) -> Tags:
    found = Tags()
    found.feed(page)
    return found


def summary(metrics: dict[str, Any], **model: Any) -> str:
    return summary_markdown(
        metrics, {"source": "tiny", "num_parameters": 4} | model, "a rule -> Yes"
    )


def test_the_page_stands_alone(given: dict[str, Any]) -> None:
    found = tags(render(**given))
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert not {"script", "link", "iframe", "img"} & set(found.names)
    assert found.names.count("svg") >= 6


@pytest.mark.slow
def test_two_renders_are_equal_to_the_byte(given: dict[str, Any]) -> None:
    assert render(**given) == render(**given)


def test_a_hostile_title_or_name_stays_text(given: dict[str, Any]) -> None:
    metrics = given["metrics"]
    metrics[HOSTILE] = metrics["random"]
    metrics[f"tuned_vs_{HOSTILE}"] = metrics["tuned_vs_random"]
    page = render(**given)
    assert "<script" not in page
    assert "\x07" not in page
    assert "alert" in page
    assert page.count("</style>") == page.count("<style")
    assert "<script" not in re.sub("`[^`]*`", "", summary(metrics))


@pytest.mark.parametrize(
    ("tuned", "words"),
    [
        (0.7, "raised AUC per impression by 0.200 (95 % interval 0.180 to 0.220, p = 0.002)"),
        (0.4, "lowered AUC per impression by 0.100"),
        (0.51, "No difference shown: AUC per impression changed by +0.010"),
    ],
)
def test_the_verdict_says_better_worse_or_no_difference(
    tuned: float, words: str, given: dict[str, Any]
) -> None:
    given["metrics"] = evaluation(tuned=tuned)
    assert words in render(**given)
    assert words in summary(given["metrics"])


def test_no_difference_comes_with_what_could_have_been_seen(given: dict[str, Any]) -> None:
    assert "0.040 or more" in summary(evaluation(tuned=0.51))
    assert "of 0.040 or more between base and" in render(**given)


@pytest.mark.parametrize(("probe", "is_artefact"), [(0.55, False), (0.69, True), (0.8, True)])
def test_a_model_that_does_not_beat_the_leak_probe_is_called_an_artefact(
    probe: float, is_artefact: bool, given: dict[str, Any]
) -> None:
    given["metrics"] = evaluation(probe=probe)
    assert ("artefact" in render(**given)) is is_artefact
    assert ("artefact" in summary(given["metrics"])) is is_artefact


def test_one_candidate_an_impression_is_judged_by_accuracy(given: dict[str, Any]) -> None:
    metrics = given["metrics"]
    for name, row in metrics.items():
        for key in ("auc", "mrr", "ndcg_at_5", "ndcg_at_10"):
            for suffix in ("", "_low", "_high"):
                row.pop(key + suffix, None)
        if name == "tuned_vs_base":
            del row["detectable_auc"]
    assert "raised accuracy by" in render(**given)
    assert "accuracy stands in" in summary(metrics)


def test_a_predictor_without_probabilities_has_dashes(given: dict[str, Any]) -> None:
    (row,) = (line for line in summary(given["metrics"]).splitlines() if "| `nrms`" in line)
    assert row.endswith("| – |")
    assert "nrms" in render(**given)


def test_warnings_stand_where_they_belong(given: dict[str, Any]) -> None:
    assert "Tiny model" in render(**given)
    assert "same_impression" not in render(**given)
    given["model"]["source"] = "huggingface"
    given["metrics"]["protocol"]["feedback"] = "same_impression"
    page = render(**given)
    assert "Tiny model" not in page
    assert "same_impression" in page
    assert "Tiny model" not in summary(given["metrics"], source="huggingface")


def test_the_protocol_is_on_the_page_and_in_the_summary(given: dict[str, Any]) -> None:
    assert "made up" in render(**given)
    assert "data `made up`" in summary(given["metrics"])


def test_the_most_confident_mistakes_of_each_kind_are_chosen(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "impression_id": list("abcdef"),
            "user_id": "U",
            "news_id": "N",
            "label": [0, 0, 1, 1, 0, 1],
            "score": [0.9, 0.6, 0.1, 0.4, 0.2, 0.8],
            "text": ["Yes.", "Yes.", "No.", "No.", "hm", "Yes."],
        }
    )
    shown = table.assign(history=[["h"]] * 6, liked=[[]] * 6, disliked=[[]] * 6)
    shown = shown.assign(target="t", category="c")
    shown.to_parquet(tmp_path / "candidates.parquet")
    found = most_confident_mistakes(tmp_path / "candidates.parquet", table, 1)
    assert [(row["kind"], row["impression_id"]) for row in found] == [
        ("false positive", "a"),
        ("false negative", "c"),
        ("unparsed", "e"),
    ]
