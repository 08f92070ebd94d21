"""Which documents are kept, and what becomes of several labels, unknown ones and bad texts."""

import random
import tracemalloc
from collections.abc import Sequence

import pytest

from newsrec.errors import UserError
from newsrec.safety.labels import CLASSES
from newsrec.safety.sources.documents import SEVERITY, Document, Draw, labels_of


def document(
    labels: object, text: object = "文本", name: str = "a", tags: object = None
) -> Document:
    return Document(name.encode(), name, text, labels, tags)


def drawn(
    documents: Sequence[Document],
    limit: int = 100,
    seed: int = 1,
    multi_label: str = "refuse",
    unknown_label: str = "refuse",
) -> Draw:
    draw = Draw(dict.fromkeys(CLASSES, limit), seed, multi_label, unknown_label)
    for one in documents:
        draw.add(one)
    return draw


def test_a_seed_keeps_the_same_documents_whatever_their_order() -> None:
    documents = [document(CLASSES[n % 3], f"文本{n}", f"{n}") for n in range(300)]
    first = drawn(documents, limit=20).rows()
    assert [row.label for row in first].count(CLASSES[0]) == 20
    for seed in range(5):
        random.Random(seed).shuffle(documents)
        assert drawn(documents, limit=20).rows() == first
    assert drawn(documents, limit=20, seed=2).rows() != first


def test_documents_are_drawn_evenly() -> None:
    documents = [document("正常", name=f"{n}") for n in range(1000)]
    kept = [int(row.id) for row in drawn(documents, limit=200).rows()]
    assert 400 < sum(kept) / len(kept) < 600


def test_memory_holds_no_more_than_is_kept() -> None:
    draw = Draw({"正常": 10}, 1, "refuse", "refuse")
    tracemalloc.start()
    for number in range(2000):
        draw.add(document("正常", "长" * 10_000, f"{number}"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize(
    "labels",
    [
        *(
            "歧视,暴恐",
            "歧视，暴恐",
            "歧视、暴恐",
            "歧视; 暴恐",
            "['歧视', '暴恐']",
            '["歧视","暴恐"]',
        ),
        ["歧视", "暴恐"],
        ["歧视,暴恐"],
        ["歧视", "暴恐", "歧视"],
    ],
)
def test_several_labels_are_found_in_every_form(labels: object) -> None:
    assert labels_of(document(labels)) == ["歧视", "暴恐"]


@pytest.mark.parametrize(
    ("rule", "label"), [("first", "歧视"), ("most_severe", "暴恐"), ("skip", None)]
)
def test_a_rule_makes_one_label_and_is_counted(rule: str, label: str | None) -> None:
    documents = [document(["歧视", "暴恐"], name=name) for name in "ab"]
    draw = drawn([*documents, document("正常", name="c")], multi_label=rule)
    assert sorted(row.label for row in draw.rows()) == sorted(
        ["正常", *([label] * 2 if label else [])]
    )
    assert dict(draw.counts.several) == {label or "skipped": 2}


def test_severity_orders_every_class() -> None:
    assert sorted(SEVERITY) == sorted(CLASSES)


def test_several_labels_are_refused_where_no_rule_is_chosen() -> None:
    with pytest.raises(UserError, match=r"'a' has the labels 歧视, 暴恐; .*extract.multi_label"):
        drawn([document(["歧视", "暴恐"])])


def test_an_unknown_label_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'a': its label is '违法违归'.*did you mean '违法违规'"):
        drawn([document("违法违归")])


def test_an_unknown_label_can_be_skipped_and_is_counted() -> None:
    documents = [document("广告"), document(["广告", "歧视"], name="b")]
    draw = drawn(documents, unknown_label="skip")
    assert [row.id for row in draw.rows()] == ["b"]
    assert draw.counts.unknown == 2
    assert draw.counts.refused == {"no_label": 1}
    assert not draw.counts.several


@pytest.mark.parametrize("labels", [5, [5], {"a": 1}])
def test_a_label_that_is_no_text_is_refused(labels: object) -> None:
    with pytest.raises(UserError, match=r"'a': its label is .* expected a string or a list"):
        drawn([document(labels)])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no_text"),
        (7.0, "text_is_no_string"),
        ("", "empty_text"),
        (" \n\u3000", "empty_text"),
        ("a\ud800", "lone_surrogate"),
    ],
)
def test_a_text_of_no_use_is_counted(text: object, reason: str) -> None:
    draw = drawn([document("正常", text)])
    assert not draw.rows()
    assert draw.counts.refused == {reason: 1}
    assert not draw.counts.seen


def test_tags_are_a_string_or_strings() -> None:
    given = {"a": None, "b": "", "c": "one", "d": ["one", "two"]}
    documents = [document("正常", name=name, tags=tags) for name, tags in given.items()]
    found = {row.id: row.tags for row in drawn(documents).rows()}
    assert found == {"a": (), "b": (), "c": ("one",), "d": ("one", "two")}
    with pytest.raises(UserError, match=r"its tags are '5'; .*extract.tags_field"):
        drawn([document("正常", tags=5)])


def test_two_documents_of_one_id_are_refused() -> None:
    with pytest.raises(UserError, match=r"id 'a': two documents have it"):
        drawn([document("正常"), document("歧视")]).rows()
