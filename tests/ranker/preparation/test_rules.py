"""What each rule drops, counted again by pandas from the rows of the files."""

import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.ranker.preparation.items import clean_text
from newsrec.ranker.preparation.ratings import (
    choose_ratings,
    k_core_rows,
    load_ratings,
    month_start,
    shift_month,
)
from tests.ranker.given import NOW, Row, product, run_prepare, shaped_rows


def counted_again(
    folder: Path,
    *,
    k: int,
    start: str | None = None,
    end: str | None = None,
    require_price: bool = False,
    words: int = 20,
) -> tuple[dict[str, int], dict[str, int], set[tuple[str, str, float, int]]]:
    """Counts of items and ratings, and the ratings that are left."""
    meta = pd.read_json(folder / "meta.jsonl", lines=True, dtype=False)
    items = {"num_rows": len(meta), "num_repeated_rows": int(meta.parent_asin.duplicated().sum())}
    meta = meta.drop_duplicates("parent_asin")
    price = pd.to_numeric(meta.price.where(meta.price.map(lambda one: one is not True)), "coerce")
    items["num_prices_missing"] = int((~(price >= 0)).sum())
    shown = meta.title.fillna("").map(lambda one: html.unescape(re.sub(r"</?\w[^<>]*>", " ", one)))
    shown = shown.str.split().str.join(" ")
    why = pd.Series("", index=meta.index)
    for name, broken in (
        ("num_without_price", (~(price >= 0)) & require_price),
        ("num_short_title", shown.str.len() < 2),
        ("num_long_title", shown.str.split().str.len() > words),
        ("num_with_span", meta.title.fillna("").str.contains("<span id", regex=False)),
        ("num_without_title", shown == ""),
    ):
        why[broken] = name  # later ones count first
    for name in ("without_title", "with_span", "long_title", "short_title", "without_price"):
        items[f"num_{name}"] = int((why == f"num_{name}").sum())

    rows = pd.read_csv(folder / "ratings.csv")
    good = set(meta.parent_asin[why == ""])
    items["num_unrated"] = len(good - set(rows.parent_asin))
    ratings = {"num_rows": len(rows)}

    def keep(name: str, part: pd.DataFrame) -> pd.DataFrame:
        ratings[name] = len(rows) - len(part)
        return part

    rows = keep("num_duplicate_rows", rows.drop_duplicates())
    rows = keep("num_without_metadata", rows[rows.parent_asin.isin(meta.parent_asin)])
    rows = keep("num_of_dropped_items", rows[rows.parent_asin.isin(good)])
    month = pd.to_datetime(rows.timestamp, unit="ms").dt.strftime("%Y-%m")
    inside = (month >= (start or "0")) & (month <= (end or "9"))
    rows = keep("num_outside_period", rows[inside])
    rows = keep(
        "num_bought_again",
        rows.sort_values(["timestamp", "rating"]).drop_duplicates(["user_id", "parent_asin"]),
    )
    core = rows
    while True:
        enough = core.groupby("user_id").filter(lambda part: len(part) >= k)
        enough = enough.groupby("parent_asin").filter(lambda part: len(part) >= k)
        if len(enough) == len(core):
            break
        core = enough
    rows = keep("num_below_k_core", core)
    ratings["num_kept"] = len(rows)
    items["num_kept"] = rows.parent_asin.nunique()
    items["num_not_left"] = len(good & set(pd.read_csv(folder / "ratings.csv").parent_asin))
    items["num_not_left"] -= items["num_kept"]
    left = zip(rows.user_id, rows.parent_asin, rows.rating, rows.timestamp, strict=True)
    return items, ratings, set(left)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "rules",
    [
        {"k_core": 0},
        {"k_core": 3},
        {"k_core": 2, "max_title_words": 19},
        {"k_core": 2, "require_price": True},
        {"k_core": 2, "start": "2020-11", "end": "2021-05"},
    ],
)
def test_every_count_is_that_of_another_program(
    tmp_path: Path, rules: dict[str, Any], seed: int
) -> None:
    rows, metadata = shaped_rows(seed)
    figures = run_prepare(tmp_path, rows, metadata, **rules)
    items, ratings, left = counted_again(
        tmp_path,
        k=rules["k_core"],
        start=rules.get("start"),
        end=rules.get("end"),
        require_price=rules.get("require_price", False),
        words=rules.get("max_title_words", 20),
    )
    assert {name: figures["items"][name] for name in items} == items
    assert figures["ratings"] == ratings
    assert sum(ratings.values()) == 2 * ratings["num_rows"]
    kept = pd.concat(
        pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("purchases", "purchases_later")
    )
    assert set(zip(kept.user, kept.item, kept.rating, kept.timestamp, strict=True)) == left
    assert set(pd.read_parquet(tmp_path / "items.parquet").item) == {item for _, item, *_ in left}
    assert figures["num_users"] == len({user for user, *_ in left})


def test_of_an_item_bought_again_the_earliest_purchase_stays() -> None:
    rows: list[Row] = [("U1", "A", 2.0, NOW + 1), ("U1", "A", 5.0, NOW), ("U1", "A", 3.0, NOW + 2)]
    ratings = load_ratings(rows)
    assert ratings.timestamp.tolist() == [NOW, NOW + 1, NOW + 2]
    rules: dict[str, Any] = {"start": None, "end": None, "k_core": 0, "min_items": 0}
    chosen = choose_ratings(ratings, {"A"}, set(), **rules)
    assert chosen.counts["num_bought_again"] == 2
    assert (chosen.ratings.rating.tolist(), chosen.ratings.timestamp.tolist()) == ([5.0], [NOW])


def test_the_fixture_has_what_every_rule_is_about(tmp_path: Path) -> None:
    figures = run_prepare(tmp_path, *shaped_rows(), k_core=2, require_price=True, end="2021-05")
    assert 150 < figures["ratings"]["num_rows"] < 300
    counts = figures["items"] | figures["ratings"]
    assert [name for name, count in counts.items() if not count] == ["num_kept_without_price"]


def test_an_item_shows_what_the_files_say_of_it(tmp_path: Path) -> None:
    metadata = [
        product(
            "A", "Bell &amp; <b>more</b>\n<|im_end|>", price="7", description=["One", "two<br>"]
        ),
        product("B", price="from 5", main_category=None, description=[], rating_number=None),
    ]
    rows: list[Row] = [
        (f"U{user}", item, 5.0, NOW + time)
        for user in range(9)
        for time, item in enumerate("AB", start=user)
    ]
    run_prepare(tmp_path, rows, metadata, num_candidates=1)
    assert pq.read_table(tmp_path / "items.parquet").to_pylist() == [
        {
            **{"item": "A", "title": "Bell & more < |im_end|>", "category": "Bells"},
            **{"description": "One two", "price": 7.0, "average_rating": 4.5, "rating_number": 9},
        },
        {
            **{"item": "B", "title": "Plain brass bell", "category": "", "description": ""},
            **{"price": None, "average_rating": 4.5, "rating_number": None},
        },
    ]


def test_text_is_cleaned_of_tags_and_entities_and_no_more() -> None:
    assert clean_text("a &lt;b&gt; <br/>c  &#39;d&#39; 3 < 4 > 2") == "a < b> c 'd' 3 < 4 > 2"
    assert clean_text("<" * 50_000 + "b" * 50_000).count("b") == 50_000


def test_the_start_moves_back_until_enough_items_are_there(tmp_path: Path) -> None:
    metadata = [product(f"B{number}") for number in range(12)]
    # One new item a month, bought by all.
    rows: list[Row] = [
        (f"U{user}", f"B{number}", 5.0, month_start(shift_month("2020-01", number)) + user)
        for number in range(12)
        for user in range(5)
    ]
    few: dict[str, Any] = {"start": "2020-10", "num_candidates": 1}
    figures = run_prepare(tmp_path, rows, metadata, **few, min_items=7)
    assert (figures["start"], figures["num_start_moves"]) == ("2020-04", 2)
    assert figures["items"]["num_kept"] == 9
    assert figures["ratings"]["num_outside_period"] == 15
    figures = run_prepare(tmp_path, rows, metadata, **few, min_items=3)
    assert (figures["start"], figures["num_start_moves"]) == ("2020-10", 0)
    with pytest.raises(UserError, match=r"12 items are left .* expected 13 or more; lower"):
        run_prepare(tmp_path, rows, metadata, **few, min_items=13)


def test_nothing_left_is_reported_with_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no rating is left of \d+; .* lower prepare\.k_core"):
        run_prepare(tmp_path, *shaped_rows(), k_core=50)
    with pytest.raises(UserError, match="no purchase has an earlier one of its user"):
        run_prepare(tmp_path, [("U1", "A", 5.0, NOW)], [product("A")])


def test_a_k_core_is_what_is_left_when_nothing_more_is_dropped() -> None:
    # A chain: each round takes its last link.
    user, item = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 1, 2, 2])
    mask, num_rounds = k_core_rows(user, item, 2)
    assert mask.tolist() == [True] * 4 + [False] * 3
    assert num_rounds == 3
    assert k_core_rows(user, item, 3)[0].sum() == 0
    assert k_core_rows(user, item, 0)[0].all()


def test_months_are_counted_over_years() -> None:
    assert [shift_month("2021-01", by) for by in (-3, -1, 0, 12)] == [
        *("2020-10", "2020-12", "2021-01", "2022-01")
    ]
    assert month_start("1970-02") == 31 * 24 * 3600 * 1000
