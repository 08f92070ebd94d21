"""Each system on lists whose scores can be worked out by hand."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.ranker.baselines.arrays import (
    Lists,
    Purchases,
    read_lists,
    read_purchases,
    write_predictions,
)
from newsrec.ranker.baselines.neighbours import bm25_scores, itemknn_scores
from newsrec.ranker.baselines.simple import popularity_scores, random_scores, rating_number_scores
from newsrec.ranker.tables import LISTS_SCHEMA, PREDICTIONS_SCHEMA, PURCHASES_SCHEMA

NOW = 1_600_000_000_000


def lists_of(*rows: tuple[Sequence[int], Sequence[int]], timestamp: int = NOW) -> Lists:
    """Lists of (history, candidates)."""
    candidates = np.array([row[1] for row in rows])
    return Lists(
        ids=pa.array([f"l{place}" for place in range(len(rows))]),
        candidate_ids=pa.array([f"i{item}" for item in candidates.ravel()]),
        timestamp=np.full(len(rows), timestamp),
        candidates=candidates,
        histories=np.array([item for row in rows for item in row[0]]),
        ends=np.cumsum([len(row[0]) for row in rows]),
    )


def purchases(*rows: tuple[int, int, int]) -> Purchases:
    """Of (user, item, ms before now)."""
    user, item, before = np.array(rows).T
    return Purchases(user, item, NOW - before)


def texts(*titles: str, **values: Any) -> list[dict[str, Any]]:
    return [{"title": title, "description": ""} | values for title in titles]


def test_popularity_counts_what_was_bought_before_the_moment() -> None:
    train = purchases((0, 0, 9), (1, 0, 8), (0, 1, 7), (2, 2, 1))
    later = purchases((3, 1, 1), (4, 1, 0), (5, 1, -5), (5, 2, 0))
    lists = lists_of(([0], [0, 1, 2, 3]))
    assert popularity_scores(lists, [train]).tolist() == [[2, 1, 1, 0]]
    assert popularity_scores(lists, [train, later]).tolist() == [[2, 2, 1, 0]]
    earlier = lists_of(([0], [0, 1, 2, 3]), timestamp=NOW - 7)
    assert popularity_scores(earlier, [train, later]).tolist() == [[2, 0, 0, 0]]
    many = 10_000_000  # items: no number of one and of a moment in ms together would have 64 bits
    last = lists_of(([0], [0, 1, 2, many]))
    assert popularity_scores(last, [train, purchases((0, many, 3))]).tolist() == [[2, 1, 1, 1]]


def test_random_scores_are_the_same_for_a_seed() -> None:
    lists = lists_of(*[([0], list(range(20)))] * 500)
    scores = random_scores(lists, 1)
    assert (scores == random_scores(lists, 1)).all()
    assert (scores != random_scores(lists, 2)).all()
    assert 0.45 < (scores[:, 0] > scores[:, 1]).mean() < 0.55


def test_an_item_without_a_number_of_ratings_is_last() -> None:
    items = [{"rating_number": number} for number in (5, None, 0)]
    assert rating_number_scores(lists_of(([0], [2, 1, 0])), items).tolist() == [[0, -1, 5]]


def test_bm25_is_its_formula() -> None:
    titles = ("brass bell", "brass horn horn", "wooden bell of a small kind", "paper")
    documents = [title.split() for title in titles]
    documents[2].remove("a")  # a single letter is no word
    lists = lists_of(([0], [1, 2, 3]), ([0, 1], [2, 1, 3]))
    query = ["brass", "bell"]
    length = sum(map(len, documents)) / 4

    def expected(document: list[str], words: Sequence[str]) -> float:
        total = 0.0
        for word in words:
            num_with = sum(word in other for other in documents)
            idf = math.log(1 + (4 - num_with + 0.5) / (num_with + 0.5))
            count = document.count(word)
            total += idf * count * 2.5 / (count + 1.5 * (0.25 + 0.75 * len(document) / length))
        return total

    scores = bm25_scores(lists, texts(*titles))
    both = [*query, "brass", "horn"]
    assert scores[0] == pytest.approx([expected(documents[place], query) for place in (1, 2, 3)])
    assert scores[1] == pytest.approx([expected(documents[place], both) for place in (2, 1, 3)])
    assert scores[0, 2] == 0
    assert scores[1, 1] > scores[1, 0] > 0


def test_bm25_reads_descriptions_and_reports_items_without_words() -> None:
    items = [*texts("one"), *texts("two", description="one"), *texts("three", description=None)]
    scores = bm25_scores(lists_of(([0], [1, 2])), items)
    assert scores[0, 0] > scores[0, 1] == 0
    with pytest.raises(UserError, match="no title has a word"):
        bm25_scores(lists_of(([0], [1, 2])), texts("!", "?", "a"))


def test_itemknn_is_the_summed_cosine_over_users() -> None:
    # Item 0 by users 0 1 2; item 1 by 0 1; item 2 by 2 3; item 3 by nobody.
    train = purchases((0, 0, 9), (1, 0, 8), (2, 0, 7), (0, 1, 6), (1, 1, 5), (2, 2, 4), (3, 2, 3))
    scores = itemknn_scores(lists_of(([0], [1, 2, 3]), ([0, 1], [2, 3, 1])), train)
    cosine = {(0, 1): 2 / math.sqrt(6), (0, 2): 1 / math.sqrt(6), (1, 2): 0.0}
    assert scores[0] == pytest.approx([cosine[0, 1], cosine[0, 2], 0])
    assert scores[1] == pytest.approx([cosine[0, 2] + cosine[1, 2], 0, cosine[0, 1] + 1])


def test_many_lists_are_scored_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    rows = [
        (rng.integers(40, size=rng.integers(1, 6)).tolist(), rng.permutation(40)[:5].tolist())
        for _ in range(4100)
    ]
    train = purchases(
        *((int(user), int(item), 1) for user, item in rng.integers(40, size=(300, 2)))
    )
    together = itemknn_scores(lists_of(*rows), train)
    for place in (0, 1, 1999, 2000, 4000, 4099):
        assert together[place] == pytest.approx(itemknn_scores(lists_of(rows[place]), train)[0])


def table_of_lists(*candidates: list[str]) -> pa.Table:
    rows = [
        {
            **{"id": f"l{place}", "user": "u", "timestamp": NOW, "target": names[0]},
            "history": [{"item": "b", "rating": 5.0, "timestamp": NOW - 1}] * place,
            "candidates": names,
        }
        for place, names in enumerate(candidates)
    ]
    return pa.Table.from_pylist(rows, LISTS_SCHEMA)


def test_files_become_arrays_and_scores_a_file(tmp_path: Path) -> None:
    pq.write_table(table_of_lists(["a", "c"], ["b", "a"]), tmp_path / "test.parquet")
    lists = read_lists(tmp_path / "test.parquet", ["a", "b", "c"])
    assert lists.candidates.tolist() == [[0, 2], [1, 0]]
    assert lists.histories.tolist() == [1]
    assert (lists.starts.tolist(), lists.ends.tolist()) == ([0, 0], [0, 1])
    write_predictions(lists, np.array([[1, 2], [3, 4]]), tmp_path / "x/random.parquet")
    table = pq.read_table(tmp_path / "x/random.parquet")
    assert table.schema.equals(PREDICTIONS_SCHEMA)
    assert table.to_pylist() == [
        {"id": id_, "item": item, "score": score}
        for id_, item, score in (
            *(("l0", "a", 1.0), ("l0", "c", 2.0)),
            *(("l1", "b", 3.0), ("l1", "a", 4.0)),
        )
    ]
    bought = [{"user": user, "item": "b", "rating": 5.0, "timestamp": 7} for user in "xyx"]
    pq.write_table(pa.Table.from_pylist(bought, PURCHASES_SCHEMA), tmp_path / "p.parquet")
    found = read_purchases(tmp_path / "p.parquet", ["a", "b"])
    assert (found.user.tolist(), found.item.tolist()) == ([0, 1, 0], [1, 1, 1])


def test_files_that_do_not_belong_together_are_reported(tmp_path: Path) -> None:
    pq.write_table(table_of_lists(["a", "c"]), tmp_path / "one.parquet")
    with pytest.raises(UserError, match=r"an item that items\.parquet does not have"):
        read_lists(tmp_path / "one.parquet", ["a", "b"])
    pq.write_table(table_of_lists(["a"], ["b", "a"]), tmp_path / "two.parquet")
    with pytest.raises(UserError, match="expected as many in each"):
        read_lists(tmp_path / "two.parquet", ["a", "b"])
