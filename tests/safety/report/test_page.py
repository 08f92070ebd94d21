"""The page and the summary of made-up figures: what they say, and that texts stay texts."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from newsrec.metrics.significance import ClusterBootstrap
from newsrec.safety.evaluation.curves import (
    PR_HEADER,
    RELIABILITY_HEADER,
    pr_rows,
    reliability_rows,
)
from newsrec.safety.evaluation.evasion import RATE, probe
from newsrec.safety.evaluation.predictor import compare_tuned, measure
from newsrec.safety.evaluation.slices import measure_slices, slices_of
from newsrec.safety.evaluation.unsafe import choose_thresholds, measure_thresholds
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.predictors import PREDICTORS
from newsrec.safety.report.mistakes import FALSE_ALARM, KINDS, MISSED, most_confident_mistakes
from newsrec.safety.report.page import render
from newsrec.safety.report.planner import panels
from newsrec.safety.report.summary import summary_markdown
from newsrec.safety.report.verdict import notices, verdict
from newsrec.safety.tables import PROBABILITIES
from tests.report.reading import HOSTILE, Page
from tests.safety import fake

pytestmark = pytest.mark.slow

STRENGTHS = dict(zip(PREDICTORS, (3.0, 0.7, 1.8, 1.2, 0.3), strict=True))
LOSS = pd.DataFrame({"step": [1, 2], "loss": [1.5, 0.5]})


@cache
def computed() -> dict[str, Any]:
    rows, val_rows = fake.rows(150, seed=3), fake.rows(150, seed=6)
    some = fake.evasion(rows)
    test = {name: fake.predictions(rows, power, 4) for name, power in STRENGTHS.items()}
    val = {name: fake.predictions(val_rows, power, 5) for name, power in STRENGTHS.items()}
    bootstrap = ClusterBootstrap(rows["cluster"], num_resamples=40, seed=1)
    chosen = {name: choose_thresholds(table) for name, table in val.items()}
    at = {name: measure_thresholds(test[name], val[name], 0.9) for name in PREDICTORS}
    measured = {name: measure(test[name], val[name], at[name], bootstrap) for name in PREDICTORS}
    gate = {"train_test": {"num_clusters": 0, "num_near_copies": 0}}
    points = reliability_rows(test["tuned"], 2.0)
    return {
        "metrics": {
            "protocol": {"data": "ab12", "benign_share": "as in the labelled source"},
            "leak_gate": gate,
            "benign_share": 0.9,
            **{name: found.figures for name, found in measured.items()},
            **compare_tuned(measured),
        },
        "classes": {name: found.classes for name, found in measured.items()},
        "thresholds": {"protocol": {"data": "ab12"}, **at},
        "slices": measure_slices(test, slices_of(rows, rows["normalised"][::2]), bootstrap),
        "evasion": {
            name: probe(test[name], fake.predictions(some, 0.9, 7), chosen[name][RATE], 20, 1)
            for name in PREDICTORS
        },
        "audit": {
            "method": "a made-up model",
            "suspect_below": 0.1,
            "num_rows": 120,
            "num_suspect": 1,
        },
        "suspects": [
            {"id": "t1", "label": BENIGN, "suggested": "暴恐", "quality": 0.01, "text": "炸药"}
        ],
        "model": {"source": "tiny", "num_parameters": 400_000, "digest": "cd34"},
        "train": {"method": "lora", "num_steps": 2, "kept_step": 1, "protocol": {"data": "ab12"}},
        "row_counts": {"extract": {"num_documents": 500}, "prepare": {"train": {"num_rows": 120}}},
        "train_loss": LOSS,
        "val_loss": LOSS,
        "val_macro_f1": pd.DataFrame({"step": [1, 2], "macro_f1": [0.5, 0.4]}),
        "curves": {
            name: pd.DataFrame(pr_rows(table), columns=list(PR_HEADER))
            for name, table in test.items()
        },
        "reliability_points": pd.DataFrame(points, columns=list(RELIABILITY_HEADER)),
        "mistakes": most_confident_mistakes(test["tuned"], rows, 3),
    }


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `render` takes; figures are not drawn."""
    for module in ("curves", "figures"):
        name = f"newsrec.report.{module}.inline_svg"
        monkeypatch.setattr(name, lambda *_, **__: "<svg></svg>")
    return deepcopy(computed())


def tuned_at(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = given["thresholds"]["tuned"]
    return found


def test_the_page_is_alone_and_equal_to_the_byte(given: dict[str, Any]) -> None:
    text = render(**given)
    page = Page(text)
    assert not page.addresses
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "default-src 'none'" in text
    assert text == render(**given)


def test_texts_and_names_from_outside_stay_text(given: dict[str, Any]) -> None:
    kind, items, empty = given["mistakes"][1]
    shown = {"id": HOSTILE, "text": HOSTILE, "tags": HOSTILE, "label": "暴恐", "answer": BENIGN}
    given["mistakes"][1] = (kind, [shown | {"probability": 0.9, "of_label": 0.1}, *items], empty)
    given["suspects"][0] |= {"id": HOSTILE, "text": HOSTILE}
    given["slices"]["tag"] = {HOSTILE: given["slices"]["tag"]["evasive"]}
    for tricks in given["evasion"].values():
        tricks[HOSTILE] = tricks["emoji"]
    given["metrics"]["protocol"][HOSTILE] = HOSTILE
    text = render(**given)
    assert "<script" not in text
    assert text.count("</style>") == 1
    assert text.count("&lt;script&gt;") >= 8
    assert "\x07" not in text


def test_every_section_is_there(given: dict[str, Any]) -> None:
    text = render(**given)
    for words in (
        *("Predictors", "Unsafe or not", "Threshold planner", "Answers of tuned", "Evasion probe"),
        *("Reliability of the tuned model", "Label audit", "Leak gate", "Tiny model."),
        *("Each class against the rest", "Most confident mistakes", "Fingerprint"),
    ):
        assert words in text, words
    assert text.index("The tuned model is better") < text.index("Predictors")


def test_the_tables_hold_the_figures(given: dict[str, Any]) -> None:
    page = Page(render(**given))
    heads = ["predictor", "macro F1", "macro precision", "macro recall", "weighted F1"]
    rows = page.table(*heads, "accuracy", "MCC")
    figures = given["metrics"]["tuned"]
    low, high = figures["macro_f1_low"], figures["macro_f1_high"]
    assert rows[0][1] == f"{figures['macro_f1']:.3f} {low:.3f}–{high:.3f}"
    assert [row[0] for row in rows] == list(PREDICTORS)
    audit = page.table("text", "label", "suggested", "quality of the label", "id")
    assert audit == [["炸药", BENIGN, "暴恐", "0.010", "t1"]]
    assert page.table("splits", "clusters in both", "near copies found again") == [
        ["train and test", "0", "0"]
    ]


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (0.1, "The tuned model is better than its base and than every baseline"),
        (0.0, "No difference shown between the tuned model and character TF-IDF"),
        (-0.1, "The tuned model is worse than character TF-IDF"),
    ],
)
def test_the_verdict_is_that_of_the_worst_comparison(
    change: float, title: str, given: dict[str, Any]
) -> None:
    gain = given["metrics"]["tuned_vs_tfidf"]["macro_f1"]
    gain |= {"delta": change, "low": change - 0.05, "high": change + 0.05}
    found = verdict(given["metrics"], tuned_at(given))
    assert found.title == title
    at = tuned_at(given)["at_1"]
    assert f"flags {100 * at['false_positive_rate']:.1f} % (" in found.text
    assert f"{100 * at['precision_at_real_share']:.1f} % of what it flags is unsafe" in found.text


def test_where_nothing_is_flagged_no_precision_is_claimed(given: dict[str, Any]) -> None:
    at = tuned_at(given)["at_1"]
    for key in ("recall", "false_positive_rate", "precision_at_real_share"):
        at[key] = 0.0
    assert verdict(given["metrics"], tuned_at(given)).text.endswith(
        f"90.0 % of all texts are {BENIGN} (as in the labelled source), nothing is flagged."
    )
    shown = [sentence for panel in panels(tuned_at(given), "40 %") for sentence in panel.sentences]
    assert sum("nothing is flagged" in sentence for sentence in shown) == 1
    assert " 0.0 % of what it flags" not in " ".join(shown)


def change_nothing(given: dict[str, Any]) -> None:
    tuned_at(given)["at_1"] |= {"num_benign": 300, "num_val_benign": 100}
    given["model"]["source"] = "huggingface"


def too_few(given: dict[str, Any]) -> None:
    change_nothing(given)
    tuned_at(given)["at_1"]["num_benign"] = 298


def too_few_to_choose(given: dict[str, Any]) -> None:
    change_nothing(given)
    tuned_at(given)["at_1"]["num_val_benign"] = 99


def too_many(given: dict[str, Any]) -> None:
    change_nothing(given)
    tuned_at(given)["at_2"]["false_positive_rate_low"] = 0.021


def shared(given: dict[str, Any]) -> None:
    change_nothing(given)
    given["metrics"]["leak_gate"]["train_test"]["num_near_copies"] = 3


def tiny(given: dict[str, Any]) -> None:
    change_nothing(given)
    given["model"]["source"] = "tiny"


@pytest.mark.parametrize(
    ("change", "titles"),
    [
        (change_nothing, []),
        (too_few, ["Too few rows to prove a rate."]),
        (too_few_to_choose, ["Too few rows to choose a threshold."]),
        (too_many, ["More false positives than allowed."]),
        (shared, ["Near copies in two splits."]),
        (tiny, ["Tiny model."]),
    ],
)
def test_a_notice_is_shown_where_it_applies(
    change: Callable[[dict[str, Any]], None], titles: list[str], given: dict[str, Any]
) -> None:
    for key in ("at_1", "at_2", "at_5"):
        tuned_at(given)[key] |= {"false_positive_rate_low": 0.0, "num_val_benign": 100}
    change(given)
    found = notices(given["metrics"], tuned_at(given), given["model"])
    assert [title for _, title, _ in found] == titles


def test_the_planner_says_what_is_proven_and_what_would_prove_it(given: dict[str, Any]) -> None:
    at = tuned_at(given)
    at["at_1"] |= {"num_false_positives": 0, "num_benign": 299, "false_positive_rate_upper": 0.01}
    at["at_5"] |= {"num_false_positives": 1, "num_benign": 20, "false_positive_rate_upper": 0.2}
    found = {panel.name: panel for panel in panels(at, "90 %")}
    assert [panel.name for panel in found.values() if panel.is_chosen] == ["1 %"]
    assert found["1 %"].sentences[-1] == (
        f"Proven with 95 % confidence, if texts are independent: at most 1.0 % of {BENIGN} "
        f"texts are flagged. To prove 1 % takes 299 clean {BENIGN} texts of which none is flagged."
    )
    assert "which does not prove 5 %" in found["5 %"].sentences[-1]
    assert "with 1 flagged as here." in found["5 %"].sentences[-1]
    assert [name for name, _, _ in found["5 %"].rows] == ["all unsafe", *CLASSES[1:]]


def test_the_planner_gives_a_threshold_that_acts_as_it_is_printed(given: dict[str, Any]) -> None:
    tuned_at(given)["at_1"]["threshold"] = 0.99999996
    (panel,) = [one for one in panels(tuned_at(given), "90 %") if one.is_chosen]
    assert "is above 0.99999996. This" in panel.sentences[0]
    assert "newsrec classify --threshold 0.99999996 --file texts.txt" in render(**given)


def test_the_planner_says_what_a_threshold_was_chosen_on(given: dict[str, Any]) -> None:
    for at in tuned_at(given).values():
        at["num_val_benign"] = 500
    found = {panel.name: panel.sentences[0] for panel in panels(tuned_at(given), "90 %")}
    assert all(f"chosen on 500 {BENIGN} validation texts" in words for words in found.values())
    # 0.2 % of 500 is one text; of 0.1 % none may be flagged.
    assert [name for name, words in found.items() if "says little" in words] == ["0.1 %"]
    page = render(**given)
    assert f"chosen on 500\n{BENIGN} validation texts" in page
    assert page.count("given these thresholds") == 1
    assert "take rows as independent" in page


@pytest.mark.parametrize(("after", "is_said"), [(0.0404, False), (0.0396, False), (0.041, True)])
def test_a_temperature_that_makes_probabilities_worse_is_named(
    after: float, is_said: bool, given: dict[str, Any]
) -> None:
    given["metrics"]["tuned"] |= {"ece": 0.04, "ece_calibrated": after}
    page = render(**given)
    assert f"ECE 0.040 before, {after:.3f} after." in page
    assert ("the calibrated probabilities have a higher ECE than the raw ones." in page) == is_said


def test_the_curve_that_the_checkpoint_is_chosen_by_is_drawn() -> None:
    page = render(**deepcopy(computed()))
    assert "Macro-F1 on validation by step. validation: 0.500 at step 1, 0.400 at step 2." in page
    assert "those of step 1, with the highest macro-F1" in page


def test_a_trick_that_changes_no_text_has_no_interval_without_width(given: dict[str, Any]) -> None:
    for tricks in given["evasion"].values():
        for found in tricks.values():
            found["recall_num_changed"], found["recall_change"] = 0, 0.0
            found["num_rows_recall"] = 1234
    page = Page(render(**given))
    of_recall = next(rows for rows in page.tables if rows[0][0] == "trick")
    assert len(of_recall) == 3
    for row in of_recall[1:]:
        assert all("no text of 1,234 changed" in cell for cell in row[1:])


def test_the_most_confident_mistakes_of_each_kind_come_first() -> None:
    rows = fake.rows(4, seed=1).assign(
        label=[BENIGN, BENIGN, "暴恐", "暴恐"], text=["a", "b", "c", "d" * 900]
    )
    table = rows[["id", "label", "cluster"]].copy()
    table[PROBABILITIES] = np.full((4, 6), 0.02)
    for row, (place, value) in enumerate(((1, 0.8), (2, 0.9), (0, 0.9), (0, 0.9))):
        table.loc[row, f"p{place}"] = value
    found = {kind: items for kind, items, _ in most_confident_mistakes(table, rows, 2)}
    assert list(found) == list(KINDS)
    assert [item["text"] for item in found[FALSE_ALARM]] == ["b", "a"]
    assert [str(item["text"])[:2] for item in found[MISSED]] == ["c", "dd"]
    assert len(str(found[MISSED][1]["text"])) == 401


def test_the_summary_is_markdown_with_every_predictor(given: dict[str, Any]) -> None:
    given["metrics"]["protocol"][HOSTILE] = HOSTILE
    text = summary_markdown(given["metrics"], given["thresholds"], given["model"])
    assert text.startswith("**The tuned model is better")
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| `")] == [
        f"`{name}`" for name in PREDICTORS
    ]
    assert "> **Tiny model.**" in text
