"""The lists that training moved most."""

from pathlib import Path

import numpy as np

from newsrec.ranker.report.examples import moved_most, target_ranks
from tests.ranker import made_lists


def test_a_tied_target_has_the_mean_rank_of_the_tied() -> None:
    scores = np.array([[3.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    assert list(target_ranks(scores, np.array([2, 0]))) == [2.5, 2.5]


def test_those_that_moved_most_come_first_each_kind_by_itself(tmp_path: Path) -> None:
    made_lists.write_processed(tmp_path)
    rows = made_lists.lists(80, seed=2)
    target = np.array([[item == row["target"] for item in row["candidates"]] for row in rows])
    before = made_lists.scores_of(rows, 0.0, 1)
    after = before.copy()
    after[3] = np.where(target[3], 99.0, before[3])  # to the first place
    after[7] = np.where(target[7], -99.0, before[7])  # to the last
    before[3] = np.where(target[3], -99.0, before[3])
    made_lists.write_predictions(rows, before, tmp_path / "sft.parquet")
    made_lists.write_predictions(rows, after, tmp_path / "exact.parquet")
    (up_kind, up, _), (_, down, empty) = moved_most(tmp_path, tmp_path, "sft", "exact", 2)
    assert up_kind == "higher after training"
    assert [(one["id"], one["before"], one["after"]) for one in up] == [("s2-3", 20.0, 1.0)]
    assert [one["id"] for one in down] == ["s2-7"]
    assert empty == "No target moved down."
    titles = {item["item"]: item["title"] for item in made_lists.items()}
    assert up[0]["best"][0] == (titles[rows[3]["target"]], True)
    assert up[0]["target"] == titles[rows[3]["target"]]
    assert up[0]["history"] == [titles[event["item"]] for event in rows[3]["history"]]
