"""The predictors without a language model, on a made-up set whose topics tell the class."""

import numpy as np
import pytest

from newsrec.errors import UserError
from newsrec.safety.baselines import CharTfidf, Keywords, Majority, indicative_words
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.predictors import codes
from tests.safety.fake import rows

TRAIN, TEST = rows(300, seed=1), rows(120, seed=2)
TEXTS, LABEL = TRAIN["normalised"].tolist(), codes(TRAIN["label"])


@pytest.mark.parametrize(
    "predictor",
    [
        Majority.fit(LABEL),
        CharTfidf.fit(TEXTS, LABEL),
        Keywords.fit(TEXTS, LABEL, num_words=5),
    ],
    ids=lambda predictor: type(predictor).__name__,
)
def test_a_baseline_gives_probabilities_whatever_the_text(
    predictor: Majority | CharTfidf | Keywords,
) -> None:
    found = predictor.predict([*TEST["normalised"], "", "\n", "zzzz", "𠀀\ud800"])
    assert found.shape == (124, len(CLASSES))
    assert (found >= 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(124))


def test_majority_answers_the_most_frequent_class() -> None:
    found = Majority.fit(np.array([4, 4, 0])).predict(["a", "b"])
    assert found.tolist() == [[1 / 3, 0, 0, 0, 2 / 3, 0]] * 2


@pytest.mark.parametrize("kind", ["tfidf", "keywords"])
def test_what_reads_the_text_is_right_nine_times_in_ten(kind: str) -> None:
    predictor = (
        CharTfidf.fit(TEXTS, LABEL) if kind == "tfidf" else Keywords.fit(TEXTS, LABEL, num_words=5)
    )
    answers = predictor.predict(TEST["normalised"].tolist()).argmax(axis=1)
    assert (answers == codes(TEST["label"])).mean() > 0.8


def test_a_class_without_training_rows_has_no_probability() -> None:
    some = LABEL != 3
    texts = [text for text, kept in zip(TEXTS, some, strict=True) if kept]
    found = CharTfidf.fit(texts, LABEL[some]).predict(["煽动推翻本区"])
    assert found[0, 3] == 0
    assert Keywords.fit(texts, LABEL[some], 5).words[CLASSES[3]] == []


def test_rows_of_one_class_alone_teach_nothing() -> None:
    with pytest.raises(UserError, match=f"all 2 are {BENIGN}; expected rows of two classes"):
        CharTfidf.fit(["甲", "乙"], np.array([0, 0]))


def test_keywords_are_of_their_class_and_none_holds_another() -> None:
    found = indicative_words(TEXTS, LABEL, num_words=4)
    assert list(found) == list(CLASSES[1:])
    assert any(word in "代办假证批发" for word in found["违法违规"])
    for words in found.values():
        assert 1 <= len(words) <= 4
        assert not [
            (one, other) for one in words for other in words if one != other and one in other
        ]


def test_more_keywords_of_a_class_make_it_more_probable() -> None:
    keywords = Keywords.fit(
        ["坏词甲", "坏词甲", "坏词甲", "坏词", "坏词乙丙", "晴天", "坏词丁", "雨天"],
        np.array([1, 1, 1, 0, 0, 0, 0, 0]),
        num_words=3,
    )
    assert keywords.words["歧视"][0] == "词甲"
    one, none = keywords.predict(["坏词甲", "晴"])[:, 1]
    assert one > 0.7 > 0.2 > none


def test_without_a_word_everything_is_benign() -> None:
    found = Keywords.fit(["晴天"] * 4, np.zeros(4, dtype=int), num_words=3)
    assert found.predict(["坏"]).argmax() == 0
