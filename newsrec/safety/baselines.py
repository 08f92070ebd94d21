"""Predictors without a language model: what a classifier has to beat.

Each is fitted on the training rows and gives a probability for each class, in the order of
`CLASSES`; a class without training rows gets 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import chi2
from sklearn.linear_model import LogisticRegression

from newsrec.errors import UserError
from newsrec.safety.labels import CLASSES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NUM_CLASSES = len(CLASSES)
MAX_NGRAMS = 200_000  # the most frequent ones: what 45,000 posts have beyond occurs a few times
MAX_HITS = 3  # a text with more words of a class counts as one with these
TFIDF_C = 10.0  # lower: smoother; of 3, 10, 30, 100 the best by macro-F1 on the synthetic corpus
_MIN_SHARE = 0.5
_MIN_ROWS = 3  # that a keyword occurs in: one of two rows is as likely a name


@dataclass(frozen=True)
class Majority:
    """The same answer to every text: the classes' shares in training."""

    shares: Floats

    @classmethod
    def fit(cls, label: Ints) -> Self:
        """Count the labels, places in `CLASSES`, shape (rows,)."""
        return cls(np.bincount(label, minlength=NUM_CLASSES) / len(label))

    def predict(self, texts: Sequence[str]) -> Floats:
        """Probabilities, shape (texts, classes)."""
        return np.tile(self.shares, (len(texts), 1))


@dataclass(frozen=True)
class CharTfidf:
    """Character n-grams of 1 to 4 by TF-IDF, and a multinomial logistic regression.

    Characters and not words: no segmenter that a disguised spelling leads astray. A logistic
    regression and not a support vector machine as its softmax is a probability by itself, which
    thresholds need.
    """

    vectorizer: TfidfVectorizer
    model: LogisticRegression

    @classmethod
    def fit(cls, texts: Sequence[str], label: Ints) -> Self:
        """Fit both.

        Args:
            texts: normalised, shape (rows,).
            label: the place of each in `CLASSES`, shape (rows,).

        Raises:
            UserError: all rows are of one class.
        """
        if len(np.unique(label)) < 2:
            raise UserError(
                f"training rows: all {len(label):,} are {CLASSES[int(label[0])]}; expected rows of "
                "two classes or more; extract again with other quotas"
            )
        vectorizer = TfidfVectorizer(
            analyzer="char",
            ngram_range=(1, 4),
            max_features=MAX_NGRAMS,
            sublinear_tf=True,
            dtype=np.float32,
        )
        model = LogisticRegression(C=TFIDF_C, max_iter=1000)
        model.fit(vectorizer.fit_transform(texts), label)
        return cls(vectorizer, model)

    def predict(self, texts: Sequence[str]) -> Floats:
        """Probabilities, shape (texts, classes)."""
        found: Floats = np.zeros((len(texts), NUM_CLASSES))
        found[:, self.model.classes_] = self.model.predict_proba(self.vectorizer.transform(texts))
        return np.asarray(found / found.sum(axis=1, keepdims=True))  # float32 sums to 1 within 1e-7


@dataclass(frozen=True)
class Keywords:
    """A list of words for each unsafe class, as moderators keep it.

    The class is the one with most of its words in the text, the first of equals, and `正常` where
    there is none. The probability is the share of each class among the training rows with the same
    answer by as many words, so that the list can be given a threshold too.

    The words are those of the training rows that indicate a class most, by chi-squared. A written
    list would know the words of one corpus alone, whereas a moderator writes down what was seen;
    and its author's diligence would be part of the comparison.

    Attributes:
        words: of each unsafe class, the most indicative first.
        shares: of the classes, by answer and number of words, shape (classes, MAX_HITS + 1,
            classes).
    """

    words: dict[str, list[str]]
    shares: Floats

    @classmethod
    def fit(cls, texts: Sequence[str], label: Ints, num_words: int) -> Self:
        """Choose the words and count what they mean.

        Args:
            texts: normalised, shape (rows,).
            label: the place of each in `CLASSES`, shape (rows,).
            num_words: for each class at most.
        """
        words = indicative_words(texts, label, num_words)
        answer, hits = _answers(words, texts)
        prior = np.bincount(label, minlength=NUM_CLASSES) / len(label)
        # One row's worth of what holds without looking: a cell without rows has shares too.
        counts = np.tile(prior, (NUM_CLASSES, MAX_HITS + 1, 1))
        np.add.at(counts, (answer, hits, label), 1)
        return cls(words, counts / counts.sum(axis=2, keepdims=True))

    def predict(self, texts: Sequence[str]) -> Floats:
        """Probabilities, shape (texts, classes)."""
        answer, hits = _answers(self.words, texts)
        return self.shares[answer, hits]


def indicative_words(texts: Sequence[str], label: Ints, num_words: int) -> dict[str, list[str]]:
    """For each unsafe class the words that indicate it most, by chi-squared of class and word.

    A word is a run of 2 to 4 letters or digits, and most rows that it is in are of the class. One
    that is part of a better one, or has a better one in it, is left out: it would count the same
    evidence twice.

    Args:
        texts: normalised, shape (rows,).
        label: the place of each in `CLASSES`, shape (rows,).
        num_words: for each class at most.
    """
    counter = CountVectorizer(
        analyzer="char", ngram_range=(2, 4), binary=True, max_features=MAX_NGRAMS
    )
    occurs = counter.fit_transform(texts)
    names = counter.get_feature_names_out()
    enough = np.asarray(occurs.sum(axis=0)).ravel() >= min(_MIN_ROWS, len(label))
    usable = np.flatnonzero(enough & np.array([name.isalnum() for name in names]))
    occurs, names = occurs[:, usable], names[usable]
    lengths = np.array([len(name) for name in names])
    found: dict[str, list[str]] = {}
    for place, name in enumerate(CLASSES[1:], 1):
        inside = label == place
        chosen: list[str] = []
        if inside.any() and not inside.all() and len(names):
            num_inside = np.asarray(occurs[inside].sum(axis=0)).ravel()
            mostly = num_inside > _MIN_SHARE * np.asarray(occurs.sum(axis=0)).ravel()
            value = np.where(mostly, chi2(occurs, inside)[0], -np.inf)
            # Of equals the shorter one, which other spellings of what is around it leave whole.
            for at in np.lexsort((names, lengths, -value))[: int(mostly.sum())]:
                if len(chosen) == num_words:
                    break
                word = str(names[at])
                if not any(word in other or other in word for other in chosen):
                    chosen.append(word)
        found[name] = chosen
    return found


def _answers(words: dict[str, list[str]], texts: Sequence[str]) -> tuple[Ints, Ints]:
    """The class answered for each text and the number of its words, at most `MAX_HITS`."""
    listed = sorted({word for of_class in words.values() for word in of_class})
    if not listed:
        return np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
    counter = CountVectorizer(analyzer="char", ngram_range=(2, 4), binary=True, vocabulary=listed)
    occurs = counter.transform(texts)
    is_of = np.array([[word in words.get(name, ()) for name in CLASSES] for word in listed])
    hits = np.asarray(occurs @ is_of.astype(np.int64))
    answer, most = hits.argmax(axis=1), hits.max(axis=1)
    return np.where(most > 0, answer, 0), np.minimum(most, MAX_HITS)
