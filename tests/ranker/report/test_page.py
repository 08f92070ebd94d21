"""The page and the summary of synthetic figures: their sentences, and texts that stay texts."""

from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from newsrec.metrics.significance import ClusterBootstrap
from newsrec.ranker.evaluation import figures, probes, slices
from newsrec.ranker.report.page import render
from newsrec.ranker.report.summary import summary_markdown
from newsrec.ranker.report.verdict import against_softmax, gain, notices, verdict
from newsrec.ranker.systems import POLICIES
from tests.ranker.evaluation.test_figures import made, noise
from tests.report.reading import HOSTILE, Page

SKILLS = {
    "exact": 2.0,
    "softmax": 1.9,
    "ppo": 0.45,
    "sft": 0.4,
    "base": 0.0,
    "random": 0.0,
    "popularity": 0.5,
    "rating_number": 0.7,
}
LOSS = pd.DataFrame({"step": [1, 2], "loss": [1.5, 0.5]})
CURVES = pd.DataFrame(
    {
        "method": ["exact", "exact", "softmax", "softmax"],
        "step": [0, 10, 0, 10],
        "ndcg": [0.3, 0.5, 0.3, 0.51],
        "expected_ndcg": [0.25, 0.48, 0.25, 0.4],
    }
)


@cache
def computed() -> dict[str, Any]:
    lists = made(num=300)
    scores = {
        name: noise(lists, skill, place) for place, (name, skill) in enumerate(SKILLS.items())
    }
    scores["softmax"] = scores["exact"] - 0.001 * noise(lists, 0.0, 99)
    bootstrap = ClusterBootstrap(lists.users, 60, seed=1)
    of_lists = {name: figures.greedy(lists, of) for name, of in scores.items()}
    for name in POLICIES:
        if name in of_lists:
            # Of drawn orders: as greedy, but worse for softmax.
            worse = 0.8 if name == "softmax" else 0.95
            for key in ("ndcg_at_10", "ndcg_at_1", "hr_at_10", "mrr"):
                of_lists[name][f"expected_{key}"] = worse * of_lists[name][key]
            of_lists[name]["sampled_ndcg_at_10"] = of_lists[name]["expected_ndcg_at_10"]
    systems, pairs = figures.measure(of_lists, bootstrap)
    counts = {f"i{number}": number for number in range(5, 30)}
    parts = slices.slices_of(lists, counts, {f"i{number}": "kind" for number in range(30)})
    wrong = {"exact": noise(lists, 0.0, 50)}
    return {
        "main": "exact",
        "metrics": {
            "protocol": {"lists": "ab12", "order": "greedy"},
            "num_lists": 300,
            "num_users": 9,
            "num_candidates": 20,
            "random_order": figures.of_random_order(20),
            "systems": systems,
            "pairs": pairs,
            "plan": figures.plan(of_lists, lists.users, 0.01),
        },
        "slices": slices.measure_slices(lists, of_lists, parts, bootstrap),
        "probes": {
            "wrong_history": probes.otherwise_prompted(lists, scores, wrong, bootstrap),
            "candidate_alone": {},
            "popularity": probes.with_popularity(lists, scores, counts, bootstrap),
        },
        "methods": {
            "exact": {"start_noise_one": 4.6, "divergence": 12.3},
            "ppo": {"clip_share": 0.2, "explained_variance": -0.1},
        },
        "curves": CURVES,
        "teach": {
            "teacher": "local",
            "train": {"num_asked": 2000, "num_right": 1600},
            "taken": {"failures": {"429": 40}, "cost": 0.0},
            "protocol": {},
        },
        "compare": {"protocol": {}},
        "train": {"method": "lora", "num_steps": 2, "protocol": {}},
        "train_loss": LOSS,
        "val_loss": LOSS,
        "model": {"source": "tiny", "num_parameters": 400_000, "digest": "cd34"},
        "row_counts": {"prepare": {"num_users": 30}},
        "examples": [
            (
                "higher after training",
                [
                    {
                        "id": "l1",
                        "target": "Drum number 1",
                        "before": 14.0,
                        "after": 1.5,
                        "history": ["Drum number 5"],
                        "best": [("Drum number 1", True), ("Flute", False)],
                    }
                ],
                "No target moved up.",
            ),
            ("lower after training", [], "No target moved down."),
        ],
        "k": 10,
        "delta": 0.015,
    }


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `render` takes; figures are not drawn."""
    for module in ("curves", "figures"):
        name = f"newsrec.report.{module}.inline_svg"
        monkeypatch.setattr(name, lambda *_, **__: "<svg></svg>")
    return deepcopy(computed())


def summary(given: dict[str, Any]) -> str:
    names = ("metrics", "main", "probes", "teach", "model")
    return summary_markdown(**{name: given[name] for name in names})


def notices_of(given: dict[str, Any]) -> dict[str, str]:
    names = ("metrics", "main", "probes", "teach", "model")
    return {title: text for _, title, text in notices(**{name: given[name] for name in names})}


def set_pair(given: dict[str, Any], pair: str, value: float) -> None:
    for found in given["metrics"]["pairs"][pair].values():
        found |= {"value": value, "low": value - 0.01, "high": value + 0.01, "p": 0.01}


@pytest.mark.slow  # draws figures' axes
def test_the_page_is_alone_and_equal_to_the_byte(given: dict[str, Any]) -> None:
    text = render(**given)
    page = Page(text)
    assert not page.addresses
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert text == render(**given)
    assert "lists needed to detect a difference of 0.015" in text


@pytest.mark.slow
def test_texts_and_names_from_outside_stay_text(given: dict[str, Any]) -> None:
    (shown,) = given["examples"][0][1]
    shown |= {"target": HOSTILE, "history": [HOSTILE], "best": [(HOSTILE, False)], "id": HOSTILE}
    given["slices"]["category"] = {HOSTILE: given["slices"]["category"]["kind"]}
    given["metrics"]["protocol"]["candidates"] = HOSTILE
    text = render(**given)
    assert "<script" not in text
    assert text.count("</style>") == 1
    assert text.count("&lt;script&gt;") == 5
    assert "\x07" not in text
    assert "<script" not in summary(given)


@pytest.mark.slow
def test_every_section_is_there_and_the_verdict_is_first(given: dict[str, Any]) -> None:
    text = render(**given)
    for words in (
        *("Systems", "Greedy and sampled orders", "All pairs of systems", "Learning curves"),
        *(
            "Another user&#39;s history",
            "Correlation with popularity",
            "Estimator audit",
            "Teacher",
        ),
        *("Krichene and Rendle", "A local teacher.", "PPO with one sampled order", "Fingerprint"),
        *(
            "Subsets of the test lists",
            "Lists that changed most in training",
            "Detectable differences",
        ),
    ):
        assert words in text, words
    assert text.index("the ranker is better than") < text.index("<h2>Systems")


@pytest.mark.slow
def test_the_tables_hold_the_figures(given: dict[str, Any]) -> None:
    page = Page(render(**given))
    heads = ["NDCG@1", "NDCG@5", "NDCG@10", "NDCG@20", "HR@5", "HR@10", "MRR", "target ties"]
    rows = page.table("system", *heads)
    assert [row[0] for row in rows] == [*SKILLS, "expectation of a random order"]
    figure = given["metrics"]["systems"]["exact"]["ndcg_at_10"]
    assert rows[0][3] == f"{figure['value']:.3f} {figure['low']:.3f}–{figure['high']:.3f}"
    assert rows[-1][3] == "0.227"
    matrix = page.table("minus", *[*SKILLS][1:])
    assert [row[0] for row in matrix] == [*SKILLS][:-1]
    assert matrix[2][1] == ""  # below the diagonal
    found = given["metrics"]["pairs"]["exact vs sft"]["ndcg_at_10"]["value"]
    assert matrix[0][3] == f"+{found:.3f}"
    wrong = page.table("NDCG@10", "own history", "probed", "difference", "random order")
    assert wrong[0][0] == "exact"
    audit = page.table("method", *[head for row in [AUDIT_HEADS] for head in row])
    assert audit[0][1] == "4.600"


AUDIT_HEADS = [
    "one order, perfect critic, before",
    "after",
    "64 orders, masked, before",
    "after",
    "KL divergence from the start, nats",
    "share of clipped ratios",
    "KL divergence per step",
    "explained variance of the critic",
]


@pytest.mark.parametrize(
    ("sft", "softmax", "popularity", "title"),
    [
        (0.2, 0.0, 0.2, "better than the model that it started from and the strongest baseline, and"
         " not significantly different from softmax"),
        (0.2, 0.2, 0.2, "better than the model that it started from, softmax and the strongest"
         " baseline"),
        (0.0, -0.2, 0.2, "better than the strongest baseline, worse than softmax, and not"
         " significantly different from the model that it started from"),
    ],
)  # fmt: skip
def test_the_title_says_better_worse_or_neither(
    given: dict[str, Any], sft: float, softmax: float, popularity: float, title: str
) -> None:
    set_pair(given, "exact vs sft", sft)
    set_pair(given, "exact vs softmax", softmax)
    set_pair(given, "exact vs popularity", popularity)
    found = verdict(given["metrics"], "exact", given["probes"])
    assert found.title == f"Trained with reinforcement learning, the ranker is {title}"
    assert found.title in summary(given)
    assert "The model that it started from has 0." in found.text
    assert "Softmax, the supervised baseline, has 0." in found.text
    assert ") with another user's history." in found.text


def test_it_is_said_which_of_the_two_is_better_at_what(given: dict[str, Any]) -> None:
    sentence = against_softmax(given["metrics"], "exact")
    better, same = sentence.split(". ")[1:]
    assert better.startswith("By expected NDCG@10 (+")
    assert better.endswith("), exact is better than softmax")
    assert same.startswith("By NDCG@10 (")
    assert same.endswith("), no significant difference was found.")
    assert against_softmax(given["metrics"], "softmax") == ""


def test_a_pair_is_read_from_either_side(given: dict[str, Any]) -> None:
    one, other = (gain(given["metrics"], *pair) for pair in (("exact", "sft"), ("sft", "exact")))
    assert one is not None
    assert other is not None
    assert (other.delta, other.low, other.high) == (-one.delta, -one.high, -one.low)
    assert gain(given["metrics"], "exact", "popularity", "expected_ndcg_at_10") is None


def test_softmax_is_not_compared_with_itself(given: dict[str, Any]) -> None:
    found = verdict(given["metrics"], "softmax", given["probes"])
    assert found.title.startswith("Trained with softmax, the ranker is better than the model")
    assert "supervised baseline" not in found.text


def test_the_notices_are_those_of_the_run(given: dict[str, Any]) -> None:
    found = notices_of(given)
    assert list(found) == [
        *("Tiny model.", "A local teacher.", "Sampled candidates."),
        *("PPO.", "A leak for comparison."),
    ]
    assert "1,600 of its 2,000 answers were correct" in found["A local teacher."]
    assert "not significantly different from the model that it started from" in found["PPO."]
    given["teach"]["teacher"] = "none"
    given["metrics"]["systems"]["sft"]["tie_rate"]["value"] = 0.6
    of_probe = given["probes"]["wrong_history"]["exact"]
    of_probe["difference"]["high"] = 0.01
    found = notices_of(given)
    assert "No teacher." in found
    assert "sft 60 %" in found["Many exact ties."]
    assert "No evidence that the ranker uses the history." in found
    given["teach"]["teacher"] = "url"
    del given["metrics"]["systems"]["rating_number"], given["metrics"]["systems"]["ppo"]
    assert not {"No teacher.", "A local teacher.", "PPO.", "A leak for comparison."} & {
        *notices_of(given)
    }


def test_the_summary_has_a_row_for_each_system(given: dict[str, Any]) -> None:
    text = summary(given)
    for name in SKILLS:
        assert f"| `{name}` |" in text
    assert "Protocol: lists `ab12`" in text
    assert np.isclose(given["metrics"]["random_order"]["ndcg_at_10"], 0.227, atol=1e-3)
