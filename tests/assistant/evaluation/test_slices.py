"""Slices by tag and by length, task by task."""

import numpy as np
import pandas as pd
import pytest

from newsrec.assistant.evaluation.slices import measure_slices, slices_of
from newsrec.assistant.evaluation.systems import gains, measure
from newsrec.metrics.significance import ClusterBootstrap
from tests.assistant.planted import TASKS


def rows_of(lengths: list[int], tags: list[list[str]], cluster: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "input": ["问" * length for length in lengths],
            "output": "甲类",
            "tags": tags,
            "cluster": cluster,
        }
    )


def test_slices_are_tags_and_thirds_by_length() -> None:
    tags = [["typo", "unseen"], [], ["typo"], [], [], []]
    found = slices_of(rows_of([5, 1, 9, 2, 5, 7], tags, [*range(6)]))
    assert {name: inside.tolist() for name, inside in found.items()} == {
        "typo": [True, False, True, False, False, False],
        "unseen": [True, False, False, False, False, False],
        "length 1 to 2": [False, True, False, True, False, False],
        "length 5 to 5": [True, False, False, False, True, False],
        "length 7 to 9": [False, False, True, False, False, True],
    }


def test_rows_with_any_tag_of_something_unseen_are_a_slice_of_their_own() -> None:
    tags = [["unseen-place"], ["unseen-phrasing", "unseen-place"], ["typo"], ["unseen"], [], []]
    found = slices_of(rows_of([4] * 6, tags, [*range(6)]))
    assert found["unseen"].tolist() == [True, True, False, True, False, False]
    assert found["unseen-place"].tolist() == [True, True, False, False, False, False]
    assert "unseen" not in slices_of(
        rows_of([4] * 6, [["typo"], ["foreseen-x"], *[[]] * 4], [*range(6)])
    )


def test_rows_of_one_length_are_in_one_slice() -> None:
    assert list(slices_of(rows_of([4] * 6, [[]] * 6, [*range(6)]))) == ["length 4 to 4"]
    found = slices_of(rows_of([4, 4, 4, 4, 4, 9], [[]] * 6, [*range(6)]))
    assert {name: int(inside.sum()) for name, inside in found.items()} == {
        "length 4 to 4": 5,
        "length 9 to 9": 1,
    }


def test_a_slice_has_the_primary_figure_of_its_rows_and_one_cluster_is_left_out() -> None:
    tags = [["typo"] if place % 2 else ["one"] * (place == 0) for place in range(30)]
    rows = rows_of([*range(1, 31)], tags, [place // 3 for place in range(30)])
    said = ["甲类" if place % 3 else "乙类" for place in range(30)]
    answers = pd.DataFrame({"output": said, "choice": said})
    bootstrap = ClusterBootstrap(rows["cluster"], num_resamples=40, seed=1)
    measured = measure(TASKS["scene"], rows, answers, bootstrap)
    found = measure_slices(TASKS["scene"], rows, {"tuned": measured}, bootstrap)
    assert [one["slice"] for one in found] == [
        "typo",
        "length 1 to 10",
        "length 11 to 20",
        "length 21 to 30",
    ]
    typo = found[0]
    right = np.array([place % 3 > 0 for place in range(30) if place % 2])
    assert typo.pop("value") == pytest.approx(right.mean())
    assert typo.pop("low") < right.mean() < typo.pop("high")
    assert typo == {
        "task": "scene",
        "slice": "typo",
        "system": "tuned",
        "metric": "accuracy",
        "num_rows": 15,
    }


def test_a_slice_has_the_gain_of_tuned_over_each_other_system_in_its_rows_alone() -> None:
    rows = rows_of([4] * 24, [["typo"] if place < 16 else [] for place in range(24)], [*range(24)])
    bootstrap = ClusterBootstrap(rows["cluster"], num_resamples=40, seed=1)

    def said(right: list[bool]) -> pd.DataFrame:
        texts = ["甲类" if one else "乙类" for one in right]
        return pd.DataFrame({"output": texts, "choice": texts})

    answers = {
        "base": said([place % 4 == 0 for place in range(24)]),
        "tuned": said([place % 4 != 1 or place >= 16 for place in range(24)]),
        "tfidf": said([True] * 24),
    }
    measured = {
        name: measure(TASKS["scene"], rows, table, bootstrap) for name, table in answers.items()
    }
    found = {
        (one["slice"], one["system"]): one
        for one in measure_slices(TASKS["scene"], rows, measured, bootstrap)
    }
    assert "gain" not in found["typo", "tuned"]
    assert found["typo", "base"]["gain"]["value"] == pytest.approx(8 / 16)
    assert found["typo", "tfidf"]["gain"]["value"] == pytest.approx(-4 / 16)
    assert 0 < found["typo", "base"]["gain"]["low"] < found["typo", "base"]["gain"]["high"] < 1
    # One slice holds every row, and so the gain of all rows.
    everything = found["length 4 to 4", "base"]["gain"]
    assert everything == gains(measured["tuned"], measured["base"])["accuracy"]


def test_slices_of_spans_have_the_share_of_invented_names_too() -> None:
    rows = rows_of([4] * 8, [["typo"]] * 4 + [[]] * 4, [*range(8)])
    answers = pd.DataFrame({"output": ["问", "月报"] * 4, "choice": [None] * 8})
    bootstrap = ClusterBootstrap(rows["cluster"], num_resamples=40, seed=1)
    measured = measure(TASKS["name"], rows, answers, bootstrap)
    found = measure_slices(TASKS["name"], rows, {"tuned": measured}, bootstrap)
    typo = {one["metric"]: one["value"] for one in found if one["slice"] == "typo"}
    assert typo == {"exact": 0, "invented": 0.5}
