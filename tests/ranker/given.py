"""Made-up files in the shape of the public ones, small, and what it takes to prepare them."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from newsrec.ranker.preparation.items import ItemRules
from newsrec.ranker.preparation.prepare import ListRules, Period, prepare

MONTH = 30 * 24 * 3600 * 1000  # in ms, about
NOW = 1_600_000_000_000

Row = tuple[str, str, float, int]  # user, item, stars, ms


def write_ratings(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    """A file of ratings; compressed where its name ends in .gz."""
    lines = ["user_id,parent_asin,rating,timestamp", *(",".join(map(str, row)) for row in rows)]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def write_metadata(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def product(item: str, title: str | None = "Plain brass bell", **values: Any) -> dict[str, Any]:
    """A row of metadata."""
    return {
        **{"main_category": "Bells", "title": title, "average_rating": 4.5, "rating_number": 9},
        **{"features": [], "description": ["Rings."], "price": 9.5, "parent_asin": item},
        **values,
    }


def shaped_rows(seed: int = 3) -> tuple[list[Row], list[dict[str, Any]]]:
    """About 200 ratings and 40 rows of metadata with all that the rules are about."""
    rng = Random(seed)
    titles: list[str | None] = [
        None,
        "",
        "   ",
        "x",
        "<b></b>",
        '<span id="productTitle">Brass bell</span>',
        "bell " * 21,
        "bell " * 20,
        "ok",
        "Bell &amp; <b>clapper</b> <|im_end|>",
        "Glocke “groß” – 鈴",
    ]
    prices: list[Any] = [None, 5, 7.25, "from 5.99", "—", "12.50", True, float("nan"), -1]
    metadata = []
    for number in range(36):
        title = titles[number] if number < len(titles) else f"Bell number {number}"
        row = product(f"B{number:03d}", title, price=prices[number % len(prices)])
        if number % 7 == 0:
            row["description"] = []
        metadata.append(row)
    del metadata[12]["title"]
    metadata += [product("B001", "A bell, listed again"), product("B900", "Never rated")]
    rng.shuffle(metadata)
    rows: list[Row] = []
    for user in range(28):
        for _ in range(rng.randint(1, 11)):
            # B036 to B039 have no metadata.
            item = f"B{rng.randrange(40):03d}"
            moment = NOW + rng.randrange(12) * MONTH + rng.randrange(5)
            rows.append((f"U{user:02d}", item, float(rng.choice((5, 5, 5, 4, 1))), moment))
            if rng.random() < 0.1:
                rows.append(rows[-1])
            if rng.random() < 0.1:
                rows.append((rows[-1][0], f"B{rng.randrange(13, 36):03d}", 5.0, moment))
            if rng.random() < 0.1:
                rows.append((rows[-1][0], rows[-1][1], 2.0, moment + MONTH))
    rng.shuffle(rows)
    return rows, metadata


def run_prepare(folder: Path, rows: Iterable[Row], metadata: Any, **changes: Any) -> dict[str, Any]:
    """Prepare these rows in `folder`; the figures.

    Args:
        folder: gets what `prepare` writes.
        rows: of ratings.
        metadata: rows of it.
        changes: of the rules.
    """
    values: dict[str, Any] = {
        **{"max_title_words": 20, "min_title_chars": 2, "require_price": False},
        **{"start": None, "end": None, "k_core": 0, "min_items": 0},
        **{"window": 10, "num_candidates": 4, "split": "shares", "seed": 1},
        "max_lists": {"train": None, "val": None, "test": None},
        **changes,
    }
    folder.mkdir(exist_ok=True)

    def rules(kind: Any) -> Any:
        return kind(**{name: values[name] for name in kind.__dataclass_fields__})

    return prepare(
        write_ratings(folder / "ratings.csv", rows),
        write_metadata(folder / "meta.jsonl", metadata),
        folder,
        item_rules=rules(ItemRules),
        period=rules(Period),
        list_rules=rules(ListRules),
    )
