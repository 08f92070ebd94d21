"""The lists: what is in a history, what among the candidates, and in which split."""

from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.ranker.preparation.lists import BENCHMARK_CUTS, draw_candidates
from newsrec.ranker.reference import lists_digest, read_reference
from newsrec.ranker.tables import LISTS_SCHEMA, SPLITS
from tests.ranker.given import NOW, Row, product, run_prepare, shaped_rows


def lists(folder: Path, *splits: str) -> list[dict[str, Any]]:
    tables = [pq.read_table(folder / f"{split}.parquet") for split in splits or SPLITS]
    assert all(table.schema.equals(LISTS_SCHEMA) for table in tables)
    return [row for table in tables for row in table.to_pylist()]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    folder = tmp_path_factory.mktemp("prepared")
    rows, metadata = shaped_rows()
    run_prepare(folder, rows, metadata, k_core=2, window=3, num_candidates=6, start="2020-10")
    return folder, rows


def test_a_history_is_what_was_bought_earlier(prepared: tuple[Path, list[Row]]) -> None:
    folder, _ = prepared
    kept = {
        (row["user"], row["item"]): row
        for name in ("purchases", "purchases_later")
        for row in pq.read_table(folder / f"{name}.parquet").to_pylist()
    }
    for row in lists(folder):
        earlier = sorted(
            (one["timestamp"], item, one["rating"])
            for (user, item), one in kept.items()
            if user == row["user"] and one["timestamp"] < row["timestamp"]
        )
        found = [(one["timestamp"], one["item"], one["rating"]) for one in row["history"]]
        assert found == earlier[-3:]
        assert kept[row["user"], row["target"]]["timestamp"] == row["timestamp"]
    with_history = {(row["user"], row["target"]) for row in lists(folder)}
    first = {
        user: min(one["timestamp"] for (name, _), one in kept.items() if name == user)
        for user, _ in kept
    }
    assert with_history == {key for key, one in kept.items() if one["timestamp"] > first[key[0]]}


def test_candidates_are_the_target_and_what_was_never_bought(
    prepared: tuple[Path, list[Row]],
) -> None:
    folder, rows = prepared
    items = set(pq.read_table(folder / "items.parquet")["item"].to_pylist())
    bought: dict[str, set[str]] = {}
    for user, item, *_ in rows:  # of all months
        bought.setdefault(user, set()).add(item)
    places = []
    for row in lists(folder):
        others = [item for item in row["candidates"] if item != row["target"]]
        assert len(row["candidates"]) == 6
        assert len(set(others)) == 5
        assert set(others) <= items - bought[row["user"]]
        places.append(row["candidates"].index(row["target"]))
    assert set(places) == set(range(6))


def test_splits_follow_one_another_in_time(prepared: tuple[Path, list[Row]]) -> None:
    folder, _ = prepared
    times = {split: [row["timestamp"] for row in lists(folder, split)] for split in SPLITS}
    assert all(found == sorted(found) for found in times.values())
    assert times["train"][-1] < times["val"][0] <= times["val"][-1] < times["test"][0]
    num = sum(map(len, times.values()))
    assert len(times["train"]) == pytest.approx(0.8 * num, abs=5)  # one moment, one split
    assert len(times["test"]) == pytest.approx(0.1 * num, abs=5)
    bought = pq.read_table(folder / "purchases.parquet")["timestamp"].to_pylist()
    later = pq.read_table(folder / "purchases_later.parquet")["timestamp"].to_pylist()
    assert bought == sorted(bought)
    assert bought[-1] < times["val"][0] <= later[0]


def test_the_order_of_rows_in_the_files_changes_no_byte(tmp_path: Path) -> None:
    rows, metadata = shaped_rows()
    metadata = [row for row in metadata if row.get("title") != "A bell, listed again"]
    for name in ("one", "other"):
        run_prepare(tmp_path / name, rows, metadata, k_core=2)
        Random(5).shuffle(rows)
        Random(6).shuffle(metadata)
    for path in (tmp_path / "one").glob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path


def test_purchases_at_one_moment_are_in_no_history_of_each_other(tmp_path: Path) -> None:
    rows: list[Row] = [
        (f"U{user}", item, 5.0, NOW + 10 * user + time)
        for user in range(20)
        for item, time in (("A", 0), ("B", 1), ("C", 1), ("D", 1), ("E", 2))
    ]
    metadata = [product(item) for item in "ABCDEFGH"]
    metadata += [product("X")]
    rows += [("V", item, 5.0, NOW + 400 + place) for place, item in enumerate("FGHX")]
    figures = run_prepare(tmp_path, rows, metadata)
    assert figures["lists"]["num_at_the_same_moment"] == 60
    for row in lists(tmp_path):
        if row["target"] in "BCD":
            assert [one["item"] for one in row["history"]] == ["A"]
        if row["target"] == "E":
            assert [one["item"] for one in row["history"]] == ["A", "B", "C", "D"]


def test_the_benchmark_has_cut_times_of_its_own(tmp_path: Path) -> None:
    val, test = BENCHMARK_CUTS
    moments = (val - 2, val - 1, val, test - 1, test)
    rows: list[Row] = [("U", item, 5.0, time) for item, time in zip("ABCDE", moments, strict=True)]
    rows += [("V", item, 5.0, 10**12 + place) for place, item in enumerate("ABCDEFGHI")]
    rows.append(("W", "X", 5.0, 10**12))
    rules = {"split": "benchmark", "num_candidates": 2}
    figures = run_prepare(tmp_path, rows, map(product, "ABCDEFGHIX"), **rules)
    assert figures["cuts"] == [val, test]
    of_user = {
        split: [row["timestamp"] for row in lists(tmp_path, split) if row["user"] == "U"]
        for split in SPLITS
    }
    assert of_user == {"train": [val - 1], "val": [val, test - 1], "test": [test]}
    counts = figures["lists"]
    assert (counts["num_users_train"], counts["num_users_train_and_test"]) == (2, 1)
    late = [row for row in rows if row[3] >= val or row[0] == "W"]
    with pytest.raises(UserError, match=r"train has no list .*prepare\.split"):
        run_prepare(tmp_path, late, map(product, "ABCDEX"), **rules)


def test_fewer_lists_are_among_more(tmp_path: Path) -> None:
    found = {}
    for limit in (3, 9, None):
        run_prepare(
            tmp_path, *shaped_rows(), max_lists={"train": limit, "val": None, "test": limit}
        )
        found[limit] = [row["id"] for row in lists(tmp_path, "train")]
    assert len(found[3]) == 3
    assert len(found[9]) == 9
    assert set(found[3]) < set(found[9]) < set(found[None])
    assert found[9] == [id_ for id_ in found[None] if id_ in found[9]]
    assert len(set(found[None])) == len(found[None])


def test_a_user_who_bought_nearly_all_leaves_too_few_candidates(tmp_path: Path) -> None:
    rows: list[Row] = [("U", item, 5.0, NOW + place) for place, item in enumerate("ABCDEFGHIJKL")]
    with pytest.raises(UserError, match=r"12 items are left, of which a user has bought 12; .* 3 "):
        run_prepare(tmp_path, rows, map(product, "ABCDEFGHIJKL"))


def test_a_draw_is_a_hash_of_its_key() -> None:
    drawn = draw_candidates("U:A:1", 4, {0, 1}, 9, 5)
    assert drawn == draw_candidates("U:A:1", 4, {0, 1}, 9, 5)
    assert drawn != draw_candidates("U:A:2", 4, {0, 1}, 9, 5)
    assert draw_candidates("U:A:1", 4, {0, 1}, 7, 5).count(4) == 1
    assert sorted(draw_candidates("U:A:1", 4, {0, 1, 4}, 7, 5)) == [2, 3, 4, 5, 6]
    assert drawn == [6, 7, 8, 5, 4]  # on every machine and with every Python


def test_the_seed_draws_other_candidates_for_the_same_lists(tmp_path: Path) -> None:
    found = []
    for seed in (1, 2):
        figures = run_prepare(tmp_path, *shaped_rows(), seed=seed)
        found.append((lists(tmp_path), figures["digests"]))
    (one, digests), (other, other_digests) = found
    assert digests["test"] != other_digests["test"]
    assert [row["id"] for row in one] == [row["id"] for row in other]
    assert [row["candidates"] for row in one] != [row["candidates"] for row in other]


def test_the_reference_is_the_lists_and_altered_ones_are_refused(tmp_path: Path) -> None:
    figures = run_prepare(tmp_path, *shaped_rows())
    path = tmp_path / "candidates_test.json"
    rows = read_reference(path)
    assert rows == lists(tmp_path, "test")
    assert lists_digest(rows) == figures["digests"]["test"]
    path.write_text(path.read_text().replace(rows[0]["candidates"][0], "B999", 1))
    with pytest.raises(UserError, match="its lists were changed"):
        read_reference(path)
    path.write_text("{}")
    with pytest.raises(UserError, match="no lists; expected"):
        read_reference(path)
