"""The made-up corpus: what its generator promises, counted."""

import re
from collections import Counter
from itertools import combinations, islice
from random import Random

import pytest

from newsrec.chat.examples import Example
from newsrec.safety.corpus.passages import REPORT_STYLE, class_of, make_passage
from newsrec.safety.corpus.synthetic import (
    CLASS_SHARES,
    COPY_SHARE,
    EVASIVE,
    NOISE_SHARE,
    TRADITIONAL,
    UNLABELLED_WORD,
    Document,
    clean_documents,
    documents,
)
from newsrec.safety.corpus.words import LABELLED, UNLABELLED
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.normalisation import normalise

NUM = 2_000
WORD = re.compile("|".join(word for words in LABELLED.values() for word in words))
NEW_WORD = re.compile("|".join(word for words in UNLABELLED.values() for word in words))


@pytest.fixture(scope="module")
def made() -> list[Document]:
    return list(documents(NUM, seed=1))


@pytest.fixture(scope="module")
def clean() -> list[Document]:
    return list(clean_documents(600, seed=1))


def test_the_same_seed_makes_the_same_documents_one_at_a_time(made: list[Document]) -> None:
    assert list(islice(documents(10**9, seed=1), 50)) == made[:50]
    assert list(documents(50, seed=2)) != made[:50]
    assert len({document.id for document in made}) == NUM


def test_each_class_has_its_share(made: list[Document]) -> None:
    counts = Counter(document.true_label for document in made)
    for name, share in zip(CLASSES, CLASS_SHARES, strict=True):
        assert counts[name] / NUM == pytest.approx(share, abs=0.03)


def test_some_labels_are_wrong_and_the_generator_knows_which(made: list[Document]) -> None:
    wrong = [document for document in made if document.true_label not in document.labels]
    assert len(wrong) / NUM == pytest.approx(NOISE_SHARE, abs=0.012)
    assert all(len(document.labels) == 1 for document in wrong)


def test_some_have_two_labels(made: list[Document]) -> None:
    several = [document for document in made if len(document.labels) > 1]
    assert len(several) > NUM / 100
    assert all(BENIGN not in document.labels for document in several)


def test_near_copies_are_of_earlier_documents_and_nearly_their_text(made: list[Document]) -> None:
    place = {document.id: number for number, document in enumerate(made)}
    copies = [document for document in made if document.is_near_copy_of]
    assert len(copies) / NUM == pytest.approx(COPY_SHARE, abs=0.02)
    for copy in copies:
        original = made[place[str(copy.is_near_copy_of)]]
        assert place[original.id] < place[copy.id]
        assert original.text in copy.text
        assert len(copy.text) <= len(original.text) + 2
        assert copy.true_label == original.true_label


def test_tags_say_what_is_odd_about_a_text(made: list[Document], clean: list[Document]) -> None:
    for document in [*made, *clean]:
        if TRADITIONAL in document.tags:
            assert normalise(document.text) != document.text
        if REPORT_STYLE in document.tags:
            assert document.true_label == BENIGN
    tags = Counter(tag for document in made for tag in document.tags)
    assert all(tags[tag] > NUM / 50 for tag in (TRADITIONAL, EVASIVE, REPORT_STYLE, "long-range"))
    assert not tags[UNLABELLED_WORD]


def test_words_never_labelled_are_in_clean_documents_alone(
    made: list[Document], clean: list[Document]
) -> None:
    assert not any(NEW_WORD.search(normalise(document.text)) for document in made)
    new = [document for document in clean if UNLABELLED_WORD in document.tags]
    assert {document.true_label for document in new} == set(CLASSES)
    for document in new:
        text = normalise(document.text)
        assert NEW_WORD.search(text) or EVASIVE in document.tags
        assert not WORD.search(text)  # which would give the class away


def test_clean_documents_are_balanced_true_and_no_copies(
    made: list[Document], clean: list[Document]
) -> None:
    counts = Counter(document.true_label for document in clean)
    assert counts == dict.fromkeys(CLASSES, len(clean) // len(CLASSES))
    for document in clean:
        assert document.labels == (document.true_label,)
        assert document.is_near_copy_of is None
    assert not {document.id for document in clean} & {document.id for document in made}


def test_a_word_shares_no_character_with_another_of_its_class() -> None:
    for name in CLASSES:
        for one, other in combinations(LABELLED[name] + UNLABELLED[name], 2):
            assert not set(one) & set(other), f"{name}: {one}, {other}"
    words = [word for name in CLASSES for word in LABELLED[name] + UNLABELLED[name]]
    assert len(set(words)) == len(words) == len(CLASSES) * (12 + 4)
    assert all(len(UNLABELLED[name]) == 4 for name in CLASSES)


def test_neither_a_topic_nor_a_stance_alone_makes_a_class() -> None:
    for topic in CLASSES[1:]:
        found = {class_of(topic, stance) for stance in ("praise", "attack", "report")}
        assert found == {topic, BENIGN}
    for stance in ("praise", "attack"):
        assert {BENIGN} < {class_of(topic, stance) for topic in CLASSES}
    assert {class_of(topic, "report") for topic in CLASSES} == {BENIGN}


@pytest.mark.parametrize("target", CLASSES)
def test_a_passage_is_of_the_class_that_was_asked_for(target: str) -> None:
    topic_of = {word: name for name, words in LABELLED.items() for word in words}
    rng = Random(1)
    for _ in range(300):
        passage = make_passage(target, LABELLED, rng)
        assert passage.classes == (() if target == BENIGN else (target,))
        found = {class_of(topic_of[word], stance) for word, stance in passage.said} - {BENIGN}
        assert found == set(passage.classes)
        assert all(word in passage.text for word, _ in passage.said)


def test_unlabelled_text_holds_every_word_and_no_name_of_a_class() -> None:
    from newsrec.safety.corpus.unlabelled import examples  # PyTorch takes seconds to import

    made: list[Example] = examples(1_500, seed=1)
    assert examples(1_500, seed=1) == made
    assert all(messages == [] for messages, _ in made)
    text = "\n".join(answer for _, answer in made)
    for name in CLASSES:
        assert name not in text
        for word in LABELLED[name] + UNLABELLED[name]:
            assert text.count(word) > 10
