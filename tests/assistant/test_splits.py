"""Rows are split by clusters of near copies, over all tasks."""

from collections import Counter
from random import Random

import pytest

from newsrec.assistant.rows import Row
from newsrec.assistant.splits import Splits, split_rows

# Far apart: each of characters that no other one has.
TEXTS = ["".join(chr(0x4E00 + 12 * number + place) for place in range(12)) for number in range(400)]


def row(text: str, split: str | None = None, task: str = "a") -> Row:
    return Row(f"{task}-{text}", task, text, "好", split, (), "a.jsonl, line 1", False)


def near(text: str) -> str:
    return f"{text}吗"


def split(rows: list[Row], seed: int = 42, **shares: float) -> Splits:
    chosen = {"val_share": 0.1, "test_share": 0.2} | shares
    return split_rows(rows, threshold=0.8, seed=seed, **chosen)


def test_the_shares_are_those_of_each_task() -> None:
    rows = [row(text, task="a" if number % 4 else "b") for number, text in enumerate(TEXTS)]
    found = split(rows)
    counts = Counter(zip((one.task for one in rows), found.splits, strict=True))
    assert counts == {
        **{("a", "train"): 210, ("a", "val"): 30, ("a", "test"): 60},
        **{("b", "train"): 70, ("b", "val"): 10, ("b", "test"): 20},
    }


def test_near_copies_lie_in_one_split_whichever_task_they_belong_to() -> None:
    rows = [row(text) for text in TEXTS] + [row(near(text), task="b") for text in TEXTS[:200]]
    found = split(rows)
    splits: dict[int, set[str | None]] = {}
    for cluster, of in zip(found.clusters, found.splits, strict=True):
        splits.setdefault(cluster, set()).add(of)
    assert len(splits) == len(TEXTS)
    assert all(len(of) == 1 for of in splits.values())
    assert found.clusters[0] == found.clusters[400]
    assert Counter(found.splits[400:]) == {"train": 140, "val": 20, "test": 40}


def test_the_seed_and_the_text_draw_and_nothing_else() -> None:
    rows = [row(text) for text in TEXTS]
    found = split(rows)
    assert split(rows) == found
    assert split(rows, seed=7).splits != found.splits
    shuffled = Random(1).sample(rows, len(rows))
    again = dict(zip((one.input for one in shuffled), split(shuffled).splits, strict=True))
    assert tuple(again[text] for text in TEXTS) == found.splits


def test_a_row_more_hardly_moves_the_others() -> None:
    rows = [row(text) for text in TEXTS]
    one_more = split([*rows[:-1], row("又来了一行新的"), rows[-1]]).splits
    moved = sum(
        one != other
        for one, other in zip(split(rows).splits, (*one_more[:-2], one_more[-1]), strict=True)
    )
    assert moved <= 2


def test_a_named_row_keeps_its_split_and_its_near_copies_join_it() -> None:
    rows = [row(text) for text in TEXTS[:90]]
    rows += [row(text, "val") for text in TEXTS[90:100]]
    rows += [row(near(text)) for text in TEXTS[90:95]]
    found = split(rows).splits
    assert found[90:] == ("val",) * 15
    assert Counter(found[:90]) == {"train": 63, "val": 9, "test": 18}


@pytest.mark.parametrize("named", ["train", "val"])
def test_a_near_copy_of_a_test_row_that_is_named_for_another_split_is_left_out(named: str) -> None:
    rows = [row(text) for text in TEXTS[:30]]
    rows += [row(TEXTS[30], named, task="b"), row(near(TEXTS[30]), "test"), row(TEXTS[31], named)]
    assert split(rows).splits[30:] == (None, "test", named)


def test_three_rows_of_a_task_are_one_in_each_split() -> None:
    rows = [row(text) for text in TEXTS[:300]] + [row(text, task="b") for text in TEXTS[300:303]]
    assert sorted(str(one) for one in split(rows).splits[300:]) == ["test", "train", "val"]


def test_a_cluster_that_no_share_has_room_for_is_trained_on() -> None:
    long = TEXTS[0] * 2
    rows = [row(f"{long}{number}") for number in range(20)] + [row(text) for text in TEXTS[1:41]]
    found = split(rows)
    assert len(set(found.clusters[:20])) == 1
    assert set(found.splits[:20]) == {"train"}
    assert Counter(found.splits) == {"train": 42, "val": 6, "test": 12}
