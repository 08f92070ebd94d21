"""The lists of probes: the same candidates, another history or none."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.ranker.lists import read_lists
from newsrec.ranker.probe_lists import write_probe
from newsrec.ranker.tables import LISTS_SCHEMA


def rows(users: str) -> list[dict[str, object]]:
    return [
        {
            "id": str(place),
            "user": user,
            "timestamp": 100 + place,
            "history": [{"item": f"of {user}", "rating": 5.0, "timestamp": 90}],
            "target": "a",
            "candidates": ["a", "b"],
        }
        for place, user in enumerate(users)
    ]


def probed(folder: Path, users: str, probe: str, num: int | None = None) -> list[dict[str, object]]:
    source = folder / "lists.parquet"
    pq.write_table(pa.Table.from_pylist(rows(users), schema=LISTS_SCHEMA), source)
    write_probe(source, probe, folder / "probe.parquet", num, seed=1)
    return list(read_lists(folder / "probe.parquet"))


def test_every_list_gets_another_user_s_history_with_its_moment(tmp_path: Path) -> None:
    users = "xxyxz"
    for before, after in zip(rows(users), probed(tmp_path, users, "wrong_history"), strict=True):
        (event,) = after["history"]
        owner = event["item"].removeprefix("of ")
        assert owner != before["user"]
        assert users[after["timestamp"] - 100] == owner
        same = ("id", "user", "target", "candidates")
        assert all(after[name] == before[name] for name in same)


def test_a_candidate_alone_has_no_history(tmp_path: Path) -> None:
    found = probed(tmp_path, "xy", "candidate_alone")
    assert [{**row, "history": None} for row in rows("xy")] == [
        {**row, "history": None} for row in found
    ]
    assert [row["history"] for row in found] == [[], []]


def test_some_lists_are_drawn_in_their_order_the_same_for_each_probe(tmp_path: Path) -> None:
    wrong, alone = (
        probed(tmp_path, "xyzxyzxyz", probe, 4) for probe in ("wrong_history", "candidate_alone")
    )
    ids = [row["id"] for row in wrong]
    assert ids == [row["id"] for row in alone] == sorted(ids)
    assert len(set(ids)) == 4
    # A history is drawn of all lists, not only of these.
    assert wrong == [
        row for row in probed(tmp_path, "xyzxyzxyz", "wrong_history") if row["id"] in ids
    ]
    assert len(probed(tmp_path, "xyzxyzxyz", "wrong_history", 99)) == 9


def test_other_probes_and_lists_of_one_user_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="probe is 'wrong'; expected one of: candidate_alone"):
        probed(tmp_path, "xy", "wrong")
    with pytest.raises(UserError, match="all lists are of one user; expected others"):
        probed(tmp_path, "xx", "wrong_history")
