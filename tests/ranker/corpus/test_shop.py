"""The made-up reviews: the same for a seed, and with all that real files surprise a reader with."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from newsrec.ranker.corpus import words
from newsrec.ranker.corpus.synthetic import Shop, write_synthetic
from newsrec.ranker.reviews.files import is_gzip, read_metadata, read_ratings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Shop]:
    folder = tmp_path_factory.mktemp("made")
    return folder, write_synthetic(folder, num_users=600, num_items=300, seed=2, category="Shop")


def metadata(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "meta_Shop.jsonl.gz").read_text().splitlines()]


def test_the_same_seed_makes_the_same_bytes(made: tuple[Path, Shop], tmp_path: Path) -> None:
    write_synthetic(tmp_path / "same", 600, 300, 2, "Shop")
    write_synthetic(tmp_path / "other", 600, 300, 3, "Shop")
    for name in ("Shop.csv.gz", "meta_Shop.jsonl.gz"):
        content = (made[0] / name).read_bytes()
        assert (tmp_path / "same" / name).read_bytes() == content
        assert (tmp_path / "other" / name).read_bytes() != content


def test_one_name_that_ends_in_gz_lies(made: tuple[Path, Shop]) -> None:
    assert is_gzip(made[0] / "Shop.csv.gz")
    assert not is_gzip(made[0] / "meta_Shop.jsonl.gz")


def test_ratings_have_the_oddities_of_real_ones(made: tuple[Path, Shop]) -> None:
    rows = list(read_ratings(made[0] / "Shop.csv.gz"))
    assert rows != sorted(rows)
    assert 0 < len(rows) - len(set(rows)) < 0.03 * len(rows)
    pairs = Counter((user, item) for user, item, *_ in set(rows))
    assert max(pairs.values()) == 2
    moments = Counter((user, time) for user, _, _, time in set(rows))
    assert 0.02 < sum(count > 1 for count in moments.values()) / len(moments) < 0.2
    stars = Counter(stars for *_, stars, _ in rows)
    assert 0.6 < stars[5.0] / len(rows) < 0.67
    assert set(stars) == {1.0, 2.0, 3.0, 4.0, 5.0}
    users = Counter(user for user, _ in pairs)
    assert min(users.values()) == 1
    assert max(users.values()) > 20
    assert any(item.startswith("0") for _, item in pairs)


def test_metadata_have_the_oddities_of_real_ones(made: tuple[Path, Shop]) -> None:
    folder, _ = made
    rows, rated = metadata(folder), {item for _, item, *_ in read_ratings(folder / "Shop.csv.gz")}
    listed = Counter(row["parent_asin"] for row in rows)
    assert max(listed.values()) == 2
    assert rated - set(listed)
    assert set(listed) - rated
    titles = [row["title"] for row in rows]
    assert None in titles
    assert "" in titles
    assert "x" in titles
    assert any("<span id" in str(title) for title in titles)
    assert any(len(str(title).split()) > 20 for title in titles)
    assert any("&amp;" in str(title) for title in titles)
    assert any("<|im_end|>" in str(title) for title in titles)
    prices = {type(row["price"]) for row in rows}
    assert prices == {type(None), float, str}
    assert [] in [row["description"] for row in rows]
    assert None in [row["average_rating"] for row in rows]
    assert sum(1 for _ in read_metadata(folder / "meta_Shop.jsonl.gz")) == len(rows)


def test_users_buy_by_their_taste_what_the_shop_has(made: tuple[Path, Shop]) -> None:
    _, shop = made
    of_favourite = 0
    for user, item, _, moment in shop.purchases:
        taste = shop.tastes[user]
        of_favourite += shop.products[item].family == taste.index(max(taste))
        assert shop.launched[item] <= moment
    assert 0.65 < of_favourite / len(shop.purchases) < 0.8
    assert all(sum(taste) == pytest.approx(1) for taste in shop.tastes)


def test_a_title_tells_the_family_in_part(made: tuple[Path, Shop]) -> None:
    _, shop = made
    own = [set(" ".join(words.FAMILIES[name][:2]).split()) for name in words.NAMES]
    shared = [
        len(set(product.title.replace(",", "").split()) & own[product.family])
        for product in shop.products
    ]
    assert {0, 1, 2} == set(shared)
    assert 0.01 < shared.count(0) / len(shared) < 0.1


def test_no_word_is_of_two_families() -> None:
    counts = Counter(word for parts in words.FAMILIES.values() for word in " ".join(parts).split())
    assert set(counts.values()) == {1}
    common = {*words.COMMON_THINGS, *words.COMMON_LOOKS, *words.BRANDS}
    assert not common & set(counts)
