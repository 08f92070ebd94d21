"""Near copies are found, and texts that are none stay apart."""

import numpy as np
import pytest

from newsrec.safety.corpus.synthetic import documents
from newsrec.safety.normalisation import normalise
from newsrec.texts.near_copies import cluster_near_copies, similarity
from tests.safety.planted import texts


@pytest.mark.slow
def test_planted_near_copies_are_found_and_nothing_else_is() -> None:
    planted = list(texts(1500, seed=3))
    found = cluster_near_copies([one.text for one in planted], 0.7, seed=1)
    cluster_of = dict(zip((one.id for one in planted), found.tolist(), strict=True))
    copies = [one for one in planted if one.copy_of]
    hits = np.mean([cluster_of[one.id] == cluster_of[one.copy_of] for one in copies])
    assert hits >= 0.95
    assert len(copies) > 80
    assert len(set(found.tolist())) >= len(planted) - len(copies)


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.7, 0.8])
def test_the_near_copies_of_the_made_up_corpus_are_found(threshold: float) -> None:
    made = list(documents(3_000, seed=1))
    found = cluster_near_copies([normalise(one.text) for one in made], threshold, seed=1)
    cluster_of = dict(zip((one.id for one in made), found.tolist(), strict=True))
    copies = [one for one in made if one.is_near_copy_of]
    hits = np.mean([cluster_of[one.id] == cluster_of[str(one.is_near_copy_of)] for one in copies])
    assert len(copies) > 200
    assert hits >= 0.95


def test_clusters_are_numbered_by_their_first_text_whatever_the_seed() -> None:
    given = [
        "甲乙丙丁戊己庚辛",
        "子丑寅卯辰巳午未",
        "甲乙丙丁戊己庚辛！",
        "子丑寅卯辰巳午未",
        "天地玄黄宇宙洪荒",
    ]
    for seed in range(3):
        assert cluster_near_copies(given, 0.7, seed).tolist() == [0, 1, 0, 1, 2]


def test_a_chain_of_near_copies_is_one_cluster() -> None:
    characters = "".join(chr(0x4E00 + n) for n in range(80))
    chain = [characters[start : start + 50] for start in range(0, 30, 5)]
    assert similarity(chain[0], chain[1]) > 0.7
    assert similarity(chain[0], chain[-1]) < 0.4
    assert set(cluster_near_copies(chain[::-1], 0.7, 1).tolist()) == {0}


@pytest.mark.parametrize("other", ["ＡＢＣ 一二三", "abc，一二三。", "Abc\n一二三"])
def test_case_width_punctuation_and_spaces_tell_no_texts_apart(other: str) -> None:
    assert similarity("abc一二三", other) == 1
    assert cluster_near_copies(["abc一二三", other], 1.0, 1).tolist() == [0, 0]


def test_short_and_bare_texts_are_compared_whole() -> None:
    given = ["好", "好!", "坏", "😀", "😀", "!!!", "!!!!", "a\ud800"]
    assert cluster_near_copies(given, 0.7, 1).tolist() == [0, 0, 1, 2, 2, 3, 3, 4]


def test_no_texts_are_no_clusters() -> None:
    assert cluster_near_copies([], 0.7, 1).tolist() == []


@pytest.mark.slow
def test_many_copies_of_one_text_take_no_square_of_their_number() -> None:
    given = [f"您的订单{number}已经发货请注意查收谢谢惠顾欢迎再次光临" for number in range(2000)]
    assert set(cluster_near_copies(given, 0.6, 1).tolist()) == {0}
