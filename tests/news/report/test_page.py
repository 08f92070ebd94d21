"""The page shows what was found, loads nothing, and keeps every title as text."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from newsrec.news.report.mistakes import most_confident_mistakes
from newsrec.news.report.page import render
from newsrec.news.report.summary import summary_markdown
from tests.news.report.conftest import arguments, evaluation, probe
from tests.report.reading import HOSTILE, Page, figure_labelled, matrix_cells

pytestmark = pytest.mark.slow


def summary(metrics: dict[str, Any], **model: Any) -> str:
    return summary_markdown(metrics, {"source": "tiny", "num_parameters": 4} | model, probe())


def test_the_page_is_alone(given: dict[str, Any]) -> None:
    found = Page(render(**given))
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert not {"script", "link", "iframe", "img"} & set(found.tags)
    assert found.tags.count("svg") >= 6


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


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("tuned", "words"),
    [
        (
            0.7,
            "The tuned model is better than its base: its AUC per impression is higher by 0.200 "
            "(95 % interval 0.180 to 0.220, p = 0.002)",
        ),
        (0.4, "worse than its base: its AUC per impression is lower by 0.100"),
        (0.51, "No significant difference was found: AUC per impression changed by +0.010"),
    ],
)
def test_the_verdict_is_better_worse_or_no_difference(
    tuned: float, words: str, given: dict[str, Any]
) -> None:
    given["metrics"] = evaluation(tuned=tuned)
    assert words in render(**given)
    assert words in summary(given["metrics"])


@pytest.mark.usefixtures("undrawn")
def test_no_difference_comes_with_what_could_have_been_seen(given: dict[str, Any]) -> None:
    assert "0.040 or more" in summary(evaluation(tuned=0.51))
    assert "of 0.040 or more between base and" in render(**given)


LEAKY = {"data": "made up", "feedback": "same_impression", "candidates": "all"}


def printed(metrics: dict[str, Any], found: dict[str, Any]) -> str:
    """Every sentence of the summary and of the page about these figures."""
    given = arguments() | {"metrics": metrics, "probe": found}
    model = {"source": "huggingface", "num_parameters": 4}
    return render(**given) + summary_markdown(metrics, model, found)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("rule_auc", [0.55, 0.69, 0.8])
def test_no_gain_is_an_artefact_where_no_leak_is_possible(rule_auc: float) -> None:
    assert "artefact" not in printed(evaluation(probe=rule_auc), probe()).lower()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("rule_auc", "is_leak", "is_artefact"),
    [
        (0.69, True, True),
        (0.8, True, True),
        (0.55, True, False),  # the tuned model has far more than the rule
        (0.69, False, False),  # prompts could leak, and this rule reads none of it
    ],
)
def test_an_artefact_is_a_gain_that_a_leak_explains(
    rule_auc: float, is_leak: bool, is_artefact: bool
) -> None:
    metrics = evaluation(probe=rule_auc) | {"protocol": LEAKY}
    text = printed(metrics, probe(is_leak, "no liked news means Yes"))
    assert ("artefact" in text.lower()) is is_artefact
    assert "The prompt can leak the label." in text


@pytest.mark.usefixtures("undrawn")
def test_a_wide_interval_is_no_proof_that_a_leak_explains_a_gain() -> None:
    metrics = evaluation(probe=0.69) | {"protocol": LEAKY}
    metrics["tuned_vs_leak_probe"]["auc"] |= {"low": -0.2, "high": 0.2}
    text = printed(metrics, probe(True, "no liked news means Yes"))
    assert "artefact" not in text.lower()
    assert "No significant difference was found between the tuned model and the one-line" in text
    assert "which reads the answer from the prompt" in text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("tuned", [0.5, 0.4])
def test_what_gained_nothing_is_no_artefact(tuned: float) -> None:
    metrics = evaluation(tuned=tuned, probe=0.9) | {"protocol": LEAKY}
    assert "artefact" not in printed(metrics, probe(True)).lower()


@pytest.mark.usefixtures("undrawn")
def test_no_difference_from_a_rule_comes_with_what_could_have_been_seen() -> None:
    metrics = evaluation(probe=0.69)
    metrics["tuned_vs_leak_probe"]["detectable_auc"] = 0.111
    text = printed(metrics, probe())
    assert text.count("difference of 0.111 or more with 80 % power") == 2  # page and summary
    assert "better than any" not in text


@pytest.mark.usefixtures("undrawn")
def test_a_model_worse_than_a_rule_is_reported_as_such() -> None:
    assert "The tuned model is worse than the one-line rule" in printed(
        evaluation(probe=0.8), probe()
    )


@pytest.mark.usefixtures("undrawn")
def test_nothing_is_printed_about_a_rule_that_the_model_beats() -> None:
    assert "one-line rule" not in summary(evaluation(probe=0.55))


@pytest.mark.usefixtures("undrawn")
def test_the_best_rule_on_the_test_set_is_labelled_as_an_upper_bound(given: dict[str, Any]) -> None:
    text = " ".join(render(**given).split())
    assert "0.634. This is an upper bound, because the rule was found with the labels" in text


@pytest.mark.usefixtures("undrawn")
def test_no_baseline_beaten_is_not_called_a_proof(given: dict[str, Any]) -> None:
    given["metrics"] = evaluation(tuned=0.5, probe=0.5)
    assert "is not significantly better than any baseline" in render(**given)


@pytest.mark.usefixtures("undrawn")
def test_one_candidate_an_impression_is_judged_by_accuracy(given: dict[str, Any]) -> None:
    metrics = given["metrics"]
    for row in metrics.values():
        for key in ("auc", "mrr", "ndcg_at_5", "ndcg_at_10"):
            for suffix in ("", "_low", "_high"):
                row.pop(key + suffix, None)
        row.pop("detectable_auc", None)
    assert "its accuracy is higher by" in render(**given)
    assert "accuracy is used instead" in summary(metrics)


@pytest.mark.usefixtures("undrawn")
def test_a_predictor_without_probabilities_has_dashes(given: dict[str, Any]) -> None:
    (row,) = (line for line in summary(given["metrics"]).splitlines() if "| `nrms`" in line)
    assert row.endswith("| – |")
    assert "nrms" in render(**given)


@pytest.mark.usefixtures("undrawn")
def test_warnings_are_shown_where_they_apply(given: dict[str, Any]) -> None:
    assert "Tiny model" in render(**given)
    assert "same_impression" not in render(**given)
    given["model"]["source"] = "huggingface"
    given["metrics"]["protocol"]["feedback"] = "same_impression"
    page = render(**given)
    assert "Tiny model" not in page
    assert "same_impression" in page
    assert "Tiny model" not in summary(given["metrics"], source="huggingface")


@pytest.fixture(scope="module")
def distinct() -> str:
    """A page on which every figure of base differs from that of tuned."""
    given = arguments()
    given["metrics"]["base"] |= {"tn": 1, "fp": 3, "fn": 6, "tp": 2}
    given["roc"]["base"] = pd.DataFrame(
        {"false_positive_rate": [0.0, 1.0], "true_positive_rate": [0.0, 1.0]}
    )
    given["timings"] = {
        "score_base": {"seconds": 45.0, "prompts_per_second": 100 / 45},
        "score_tuned": {"seconds": 36.0, "prompts_per_second": 128 / 36},
    }
    given["audits"]["tuned"] = given["audits"]["tuned"] | {"num_prompts": 128}
    return render(**given)


def test_prompts_that_a_server_did_not_answer_are_in_the_audit_of_a_server_alone(
    distinct: str,
) -> None:
    words = "prompts that the server did not answer"
    assert words not in distinct
    given = arguments()
    given["audits"]["tuned"] = given["audits"]["tuned"] | {"num_unanswered": 17, "num_unlisted": 0}
    row = re.search(rf"{words}.*?</tr>", render(**given), flags=re.DOTALL)
    assert row
    assert ">17<" in row[0]


def test_an_answer_is_in_the_cell_of_its_label(distinct: str) -> None:
    assert matrix_cells(figure_labelled(distinct, "Confusion matrix of base,")) == {
        ("not clicked", "No"): ["1", "25.0% of row"],
        ("not clicked", "Yes"): ["3", "75.0% of row"],
        ("clicked", "No"): ["6", "75.0% of row"],
        ("clicked", "Yes"): ["2", "25.0% of row"],
    }
    assert matrix_cells(figure_labelled(distinct, "Confusion matrix of tuned,")) == {
        ("not clicked", "No"): ["50", "83.3% of row"],
        ("not clicked", "Yes"): ["10", "16.7% of row"],
        ("clicked", "No"): ["5", "25.0% of row"],
        ("clicked", "Yes"): ["15", "75.0% of row"],
    }


def test_a_curve_is_that_of_its_model(distinct: str) -> None:
    # tuned: 0.4 * 0.7 / 2 + 0.6 * 1.7 / 2
    assert "base: area 0.500, tuned: area 0.650." in distinct
    assert "raw: 0.10 at 0.20, 0.60 at 0.80; calibrated: 0.50 at 0.50." in distinct


def test_speed_and_cost_are_those_of_the_test_impressions(distinct: str) -> None:
    # 80 candidates in 10 impressions; the other prompts are those of the validation set.
    # base: 45 s * 80 / 100 prompts = 36 s for 10 impressions, 3,600 s for 1,000: an hour.
    # tuned: 36 s * 80 / 128 prompts = 22.5 s for 10 impressions, 2,250 s for 1,000.
    speed = Page(distinct).table(
        "model", "prompts/s", "seconds", "machine hours per 1,000 impressions"
    )
    assert speed == [["base", "2.22", "45", "1"], ["tuned", "3.56", "36", "0.625"]]


def test_every_predictor_has_its_figures_and_what_tuned_gains(distinct: str) -> None:
    page = Page(distinct)
    figures = page.table(
        "predictor", "AUC", "MRR", "nDCG@5", "nDCG@10", "accuracy", "precision", "recall", "F1"
    )
    assert [row[0] for row in figures] == ["base", "tuned", "nrms", "leak_probe", "random"]
    assert figures[1][1] == "0.700 0.670\u20130.730"
    assert figures[2][5:] == ["\u2013"] * 4
    gains = page.table("tuned minus", "AUC per impression", "MRR", "nDCG@10", "accuracy")
    assert [row[0] for row in gains] == ["base", "nrms", "leak_probe", "random"]
    assert gains[1][1] == "+0.100 +0.080 to +0.120 p = 0.002"
    assert gains[1][4] == "\u2013"


@pytest.mark.usefixtures("undrawn")
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


@pytest.mark.usefixtures("undrawn")
def test_answers_of_another_form_are_named_where_accuracy_counts_them(
    given: dict[str, Any],
) -> None:
    assert "neither Yes nor No" not in summary(given["metrics"])
    given["metrics"]["base"]["unparsed_rate"] = 0.76
    words = "They make up 76.0 % of the base model's answers and 0.0 % of the tuned model's."
    assert words in summary(given["metrics"])
    assert words.replace("'", "&#39;") in render(**given)


@pytest.mark.usefixtures("undrawn")
def test_intervals_of_several_comparisons_are_said_to_hold_one_by_one(
    given: dict[str, Any],
) -> None:
    words = "Each interval is for one comparison"
    assert words in render(**given)
    assert words in summary(given["metrics"])


@pytest.mark.usefixtures("undrawn")
def test_the_step_whose_weights_were_kept_is_named_where_it_is_not_the_last(
    given: dict[str, Any],
) -> None:
    assert "were kept" not in render(**given)
    given["train"]["kept_step"] = 6
    assert "The weights of step 6 were kept, " in render(**given)
