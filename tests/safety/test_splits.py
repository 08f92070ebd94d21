"""Clusters lie in one split and quotas are filled."""

from collections import Counter

import pyarrow as pa
import pytest

from newsrec.errors import UserError
from newsrec.safety.extraction import Extracted, extract, figures
from newsrec.safety.labels import CLASSES
from newsrec.safety.leaks import leak_gate
from newsrec.safety.normalisation import normalise
from newsrec.safety.sources.documents import REASONS, Document
from newsrec.safety.splits import fill_quotas, short_quotas
from tests.safety.planted import Text, texts

QUOTAS = {
    split: dict.fromkeys(CLASSES, n) for split, n in {"train": 60, "val": 15, "test": 20}.items()
}


def extracted(
    planted: list[Text], quotas: dict[str, dict[str, int]] = QUOTAS, **changes
) -> Extracted:
    def read():
        for one in planted:
            yield Document(one.id.encode(), one.id, one.text, list(one.labels), list(one.tags))

    settings = {
        "multi_label": "refuse",
        "unknown_label": "refuse",
        "allow_fewer": False,
        "threshold": 0.7,
        "seed": 1,
    }
    return extract(read, "a collection", quotas=quotas, **settings | changes)


def tables(found: Extracted) -> dict[str, pa.Table]:
    return {split: found.table(split) for split in found.rows}


def nothing_shared(found: Extracted) -> bool:
    """Whether a search anew finds no near copy in two splits either."""
    frames = {split: table.to_pandas() for split, table in tables(found).items()}
    read = {
        split: rows.assign(normalised=rows.text.map(normalise)) for split, rows in frames.items()
    }
    gate = leak_gate(read, 0.7, seed=99)
    return not any(number for counts in gate.values() for number in counts.values())


@pytest.fixture(scope="module")
def planted() -> list[Text]:
    return list(texts(800, seed=5))


@pytest.mark.parametrize("allow_fewer", [False, True])
def test_a_source_without_a_usable_document_is_refused(allow_fewer: bool) -> None:
    with pytest.raises(UserError, match=r"^a collection: no document has a text and one of"):
        extracted([], allow_fewer=allow_fewer)


def test_quotas_are_filled_exactly_and_no_row_is_in_two_splits(planted: list[Text]) -> None:
    found = extracted(planted)
    ids = [row.id for rows in found.rows.values() for row, _ in rows]
    assert len(ids) == len(set(ids))
    for split, quota in QUOTAS.items():
        assert Counter(found.table(split)["label"].to_pylist()) == quota


@pytest.mark.slow
def test_the_same_seed_gives_the_same_rows_in_any_order(planted: list[Text]) -> None:
    assert tables(extracted(planted)) == tables(extracted(planted[::-1]))
    assert tables(extracted(planted)) != tables(extracted(planted, seed=2))


def test_no_cluster_and_no_near_copy_is_in_two_splits(planted: list[Text]) -> None:
    assert nothing_shared(extracted(planted))


def test_a_quota_that_is_not_met_says_how_many_there_are(planted: list[Text]) -> None:
    quotas = {"train": {"歧视": 200, "正常": 10}, "val": {"歧视": 20}, "test": {"正常": 5}}
    there = sum(one.labels == ("歧视",) for one in planted)
    with pytest.raises(
        UserError, match=rf"歧视: {there} rows there, train \d+ of 200, .*allow_fewer"
    ):
        extracted(planted, quotas)
    found = extracted(planted, quotas, allow_fewer=True)
    labels = Counter(found.table("train")["label"].to_pylist())
    assert labels["正常"] == 10
    assert there * 0.7 < labels["歧视"] < 200
    # Rows that are too few are shared in proportion to the quotas.
    assert len(found.rows["val"]) > 5


@pytest.mark.slow
def test_large_clusters_have_more_rows_read_until_quotas_are_met() -> None:
    copies = [Text(f"a{n}", "同一句话说了又说" * 3, ("正常",), (), None) for n in range(500)]
    others = [
        Text(f"b{n}", one.text, ("正常",), (), None) for n, one in enumerate(texts(300, 2, 0))
    ]
    quotas = {"train": {"正常": 100}, "val": {"正常": 50}, "test": {"正常": 50}}
    found = extracted(copies + others, quotas)
    assert {split: len(rows) for split, rows in found.rows.items()} == {
        "train": 100,
        "val": 50,
        "test": 50,
    }
    assert nothing_shared(found)


def test_a_cluster_of_several_labels_lies_in_one_split() -> None:
    labels = ["正常", "歧视"] * 10
    clusters = [n // 2 for n in range(20)]
    quotas = {
        "train": {"正常": 6, "歧视": 6},
        "val": {"正常": 2, "歧视": 2},
        "test": {"正常": 2, "歧视": 2},
    }
    splits = fill_quotas(labels, clusters, quotas, seed=1)
    assert not short_quotas(labels, splits, quotas)
    for first in range(0, 20, 2):
        assert splits[first] == splits[first + 1]


def test_a_cluster_that_only_train_has_room_for_goes_there_whole() -> None:
    quotas = {"train": {"正常": 30}, "val": {"正常": 5}, "test": {"正常": 5}}
    for seed in range(10):
        splits = fill_quotas(["正常"] * 40, [0] * 20 + list(range(1, 21)), quotas, seed)
        assert Counter(splits) == {"train": 30, "val": 5, "test": 5}
        assert set(splits[:20]) == {"train"}


@pytest.mark.slow
def test_figures_count_labels_splits_and_near_copies(planted: list[Text]) -> None:
    copied = [one for one in planted if one.copy_of]
    double = Text("x1", "两个标签的文本在这里", ("歧视", "暴恐"), (), None)
    empty = Text("x2", " ", ("正常",), (), None)
    found = figures(extracted([*planted, double, empty], multi_label="most_severe"))
    assert found["train"] == {"num_rows": 360, **dict.fromkeys(CLASSES, 60)}
    assert found["source_rows"]["num_rows"] == 801
    assert found["several_labels"]["num_rows"] == found["several_labels"]["暴恐"] == 1
    assert found["refused"] == {"num_rows": 1, **dict.fromkeys(REASONS, 0), "empty_text": 1}
    assert 0 < found["num_near_copies"] <= 2 * len(copied)
    assert found["num_clusters"] < 6 * 95
    assert found["largest_cluster"] >= 2
