"""TF-IDF and logistic regression: which words are clicked, and which are clicked again."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from newsrec.errors import UserError
from newsrec.news.baselines.pairs import read_evaluation_pairs, read_training_clicks
from newsrec.news.baselines.words import are_spaced, words

NUM_HISTORY = 50
NUM_NEGATIVES = 4
MAX_WORDS = 30_000
_BATCH_ROWS = 50_000


def tfidf_scores(
    candidates: pd.DataFrame, train: Path, test: Path, max_train_impressions: int | None, seed: int
) -> np.ndarray:
    """P(click) by a logistic regression on the words of a title and of the titles clicked before.

    The features of a pair, with t and h the unit TF-IDF vectors of the title and of the history's
    titles together: t (is the word clicked by all?), h, their elementwise product t * h (does the
    word bring this user back?) and their cosine, the product's sum. Weighting: Salton and Buckley,
    1988, as scikit-learn's `TfidfVectorizer` with sublinear counts. Trained on every click and up
    to `NUM_NEGATIVES` others of its impression; words are those of the training news, or n-grams
    where a script has no spaces (`newsrec.news.baselines.words`).

    Args:
        candidates: rows with impression_id, news_id and target, shape (rows,).
        train: folder of the training split.
        test: folder of the test split, for histories and titles alone.
        max_train_impressions: impressions to learn from at most; None takes all.
        seed: of the draw of impressions and of their negatives.

    Returns:
        Probabilities from 0 to 1 among the sampled candidates, so too high for all of them, shape
        (rows,).

    Raises:
        UserError: a fault in the files, nothing to learn from, or no title with a word.
    """
    training = read_training_clicks(
        train,
        num_history=NUM_HISTORY,
        num_negatives=NUM_NEGATIVES,
        max_impressions=max_train_impressions,
        seed=seed,
    )
    analyzer = partial(words, spaced=are_spaced(training.titles))
    if not any(map(analyzer, training.titles)):
        raise UserError(
            f"{train / 'news.tsv'}: no title has a letter or a digit; expected titles of words; "
            "restore the titles from the original file"
        )
    vectorizer = TfidfVectorizer(sublinear_tf=True, analyzer=analyzer, max_features=MAX_WORDS)
    titles = vectorizer.fit_transform(training.titles)
    histories = _history_vectors(titles, [click.history for click in training.clicks])
    shown = [(click.clicked, *click.others) for click in training.clicks]
    which = np.repeat(np.arange(len(shown)), [len(places) for places in shown])
    news = np.concatenate([np.array(places) for places in shown])
    label = np.concatenate([np.arange(len(places)) == 0 for places in shown])
    model = LogisticRegression(max_iter=1000)
    model.fit(_features(titles[news], histories[which]), label)

    pairs = read_evaluation_pairs(candidates, test, NUM_HISTORY)
    titles = vectorizer.transform(pairs.titles)
    histories = _history_vectors(titles, pairs.histories)
    scores = np.empty(len(candidates))
    for start in range(0, len(candidates), _BATCH_ROWS):
        rows = slice(start, start + _BATCH_ROWS)
        features = _features(titles[pairs.news[rows]], histories[pairs.impression[rows]])
        scores[rows] = model.predict_proba(features)[:, 1]
    return scores


def _history_vectors(
    titles: sparse.csr_matrix, histories: list[tuple[int, ...]]
) -> sparse.csr_matrix:
    """Unit vectors of the summed titles, shape (histories, words); of an empty history, zero."""
    ends = np.cumsum([0, *map(len, histories)])
    places = np.array([place for history in histories for place in history], dtype=np.int64)
    clicked = sparse.csr_matrix(
        (np.ones(len(places)), places, ends), shape=(len(histories), titles.shape[0])
    )
    return normalize(clicked @ titles)


def _features(titles: sparse.csr_matrix, histories: sparse.csr_matrix) -> sparse.csr_matrix:
    """Features of pairs of rows, shape (rows, 3 * words + 1)."""
    product = titles.multiply(histories)
    cosine = sparse.csr_matrix(product.sum(axis=1))
    return sparse.hstack([titles, histories, product, cosine], format="csr")
