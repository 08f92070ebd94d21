from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.ranker.tools import shared_users, statistics, user_history
from tests.ranker.given import NOW, product, write_metadata, write_ratings

DAY = 24 * 3600 * 1000


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    rows = [
        ("U1", "B", 4.0, NOW + DAY),
        ("U1", "A", 5.0, NOW),
        ("U1", "A", 5.0, NOW),
        ("U2", "C", 1.0, NOW + 2 * DAY),
    ]
    write_ratings(tmp_path / "ratings.csv.gz", rows)
    long = product("D", "bell " * 21, price="from 5", description=[])
    metadata = [product("A", "A &amp; b"), product("B", None), product("B"), long]
    write_metadata(tmp_path / "meta.jsonl", metadata)
    return tmp_path


def test_statistics_are_those_of_the_files(raw: Path) -> None:
    lines = dict(
        [part.strip() for part in line.split("  ", 1)] for line in statistics(raw).splitlines()
    )
    assert (lines["users"], lines["items"], lines["ratings"]) == ("2", "3", "4")
    assert lines["of all pairs"] == "66.6667%"
    assert lines["of a user"] == "2.0 (5 %: 1, median 2, 95 %: 3)"
    assert lines["first and last"] == "2020-09-13 to 2020-09-15"
    assert lines["of an item rated before"] == "25.0%"
    assert lines["at the moment of another"] == "25.0%"
    assert lines["stars"] == "1: 25.0%, 4: 25.0%, 5: 50.0%"
    assert lines["rows of metadata"] == "4, of 3 items"
    assert lines["rated without metadata"] == "1"
    for name in ("a title", "a price that is a number", "a description"):
        assert lines[f"without {name}"] == "33.3%"
    assert lines["with a title over 20 words"] == lines["never rated"] == "33.3%"


def test_users_of_two_folders_are_compared(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    rows = [("U2", "X", 5.0, NOW), ("U3", "X", 5.0, NOW), ("U4", "X", 5.0, NOW)]
    write_ratings(tmp_path / "other/ratings.csv", rows)
    shown = shared_users(raw, tmp_path / "other")
    assert shown.startswith("1 users in both: 50.0% of 2 in ")
    assert "33.3% of 3 in " in shown


def test_a_history_is_shown_in_the_order_of_time(raw: Path) -> None:
    assert user_history(raw, "U1").splitlines() == [
        "2020-09-13 12:26  5  A  A & b",
        "2020-09-13 12:26  5  A  A & b",
        "2020-09-14 12:26  4  B  (no title)",
    ]
    assert user_history(raw, "U2").endswith("C  (no title)")
    with pytest.raises(UserError, match="no rating of the user 'U9'; expected an id such as U1"):
        user_history(raw, "U9")
