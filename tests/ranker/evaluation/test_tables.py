"""Lists and scores are read whole, and what does not belong to each other is refused in a line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.ranker.evaluation.tables import (
    Lists,
    load_counts,
    load_lists,
    load_probes,
    load_scores,
)
from newsrec.ranker.reference import lists_digest
from newsrec.ranker.tables import LISTS_SCHEMA, PREDICTIONS_SCHEMA
from tests.ranker import made_lists

ROWS = made_lists.lists(6, seed=2)
SCORES = made_lists.scores_of(ROWS, 1.0, seed=1)


@pytest.fixture
def lists(tmp_path: Path) -> Lists:
    made_lists.write(ROWS, LISTS_SCHEMA, tmp_path / "test.parquet")
    made_lists.write_reference(ROWS, tmp_path / "candidates_test.json")
    return load_lists(tmp_path)


def test_lists_are_read_with_their_targets_and_the_digest_of_the_reference(lists: Lists) -> None:
    assert list(lists.ids) == [row["id"] for row in ROWS]
    assert list(lists.users) == [row["user"] for row in ROWS]
    assert list(lists.targets) == [row["target"] for row in ROWS]
    assert list(lists.num_history) == [len(row["history"]) for row in ROWS]
    assert lists.candidates.tolist() == [row["candidates"] for row in ROWS]
    assert lists.digest == lists_digest(ROWS)


def test_scores_are_in_the_order_of_the_lists_whatever_that_of_the_file(
    lists: Lists, tmp_path: Path
) -> None:
    table = made_lists.predictions(ROWS, SCORES)
    for rows in (table, table.sample(frac=1, random_state=1)):
        rows.to_parquet(tmp_path / "one.parquet", index=False)
        assert np.array_equal(load_scores(tmp_path / "one.parquet", lists), SCORES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(index=30), r"list s2-1, candidate B\d+ has no score, and neither have 0"),
        (lambda t: pd.concat([t, t.iloc[[30]]]), r"list s2-1, .* has two scores, and so have 0"),
        (lambda t: t.assign(id=t["id"] + "x"), "list s2-0, .* and neither have 119 more"),
        (
            lambda t: pd.concat([t, t.iloc[[30]].assign(item="Bxx")]),
            "list s2-1, candidate Bxx is not a candidate",
        ),
        (
            lambda t: t.assign(item=t["item"].where(t.index != 30, "Bxx")),
            r"list s2-1, candidate B\d+ has no score",
        ),
        (lambda t: t.assign(score=t["score"].where(t.index != 30, np.inf)), "no finite score"),
        (lambda t: t.assign(score=t["score"].where(t.index != 30, np.nan)), "without a value"),
        (lambda t: t.assign(score=t["score"].astype("float32")), "column score is float; expected"),
        (lambda t: t.drop(columns="item"), "column item is not there"),
    ],
)
def test_scores_that_are_not_one_for_each_candidate_are_refused(
    lists: Lists, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    change(made_lists.predictions(ROWS, SCORES)).to_parquet(tmp_path / "one.parquet", index=False)
    with pytest.raises(UserError, match=words) as caught:
        load_scores(tmp_path / "one.parquet", lists)
    assert "\n" not in str(caught.value)


def test_scores_that_name_other_lists_are_refused_by_the_digest(
    lists: Lists, tmp_path: Path
) -> None:
    table = pa.Table.from_pandas(
        made_lists.predictions(ROWS, SCORES), PREDICTIONS_SCHEMA, preserve_index=False
    )
    for digest, refused in ((lists.digest, False), ("ffff", True)):
        pq.write_table(table.replace_schema_metadata({"lists": digest}), tmp_path / "one.parquet")
        if refused:
            with pytest.raises(
                UserError, match=f"other lists .digest ffff, expected {lists.digest}"
            ):
                load_scores(tmp_path / "one.parquet", lists)
        else:
            load_scores(tmp_path / "one.parquet", lists)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"candidates": ["B001"]}, "list s2-3 has 1 candidates, the first 20"),
        ({"target": "Bxx"}, "list s2-3 has its target 0 times"),
        ({"candidates": [ROWS[3]["target"]] * 20}, "list s2-3 has its target 20 times"),
    ],
)
def test_lists_that_cannot_be_ranked_are_refused(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    rows = [{**row, **(change if place == 3 else {})} for place, row in enumerate(ROWS)]
    made_lists.write(rows, LISTS_SCHEMA, tmp_path / "test.parquet")
    made_lists.write_reference(rows, tmp_path / "candidates_test.json")
    with pytest.raises(UserError, match=words):
        load_lists(tmp_path)


def test_a_reference_of_other_lists_is_refused(lists: Lists, tmp_path: Path) -> None:
    made_lists.write_reference(ROWS[:-1], tmp_path / "candidates_test.json")
    with pytest.raises(UserError, match=f"of other lists than .*expected {lists.digest}"):
        load_lists(tmp_path)


def test_missing_and_damaged_files_are_a_users_error(lists: Lists, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_scores(tmp_path / "none.parquet", lists)
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(UserError, match="not a complete Parquet"):
        load_scores(tmp_path / "text.parquet", lists)
    made_lists.write([], LISTS_SCHEMA, tmp_path / "test.parquet")
    with pytest.raises(UserError, match="no lists"):
        load_lists(tmp_path)


def test_a_probe_may_be_of_some_lists_and_is_whole_in_each(lists: Lists, tmp_path: Path) -> None:
    made_lists.write_predictions(ROWS[1:4], SCORES[1:4], tmp_path / "sft_alone.parquet")
    found = load_probes(tmp_path, ["base", "sft"], ["alone"], lists)["alone"]
    assert list(found) == ["sft"]
    assert np.isfinite(found["sft"][1:4]).all()
    assert np.isnan(np.delete(found["sft"], [1, 2, 3], axis=0)).all()
    table = pq.read_table(tmp_path / "sft_alone.parquet")
    pq.write_table(table.slice(1), tmp_path / "sft_alone.parquet")
    with pytest.raises(UserError, match="has no score"):
        load_probes(tmp_path, ["sft"], ["alone"], lists)


def test_purchases_are_counted(tmp_path: Path) -> None:
    made_lists.write_processed(tmp_path)
    counts = load_counts(tmp_path / "purchases.parquet")
    assert sum(counts.values()) == 60
    assert json.dumps(counts)  # plain numbers
