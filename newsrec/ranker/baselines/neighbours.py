"""Candidates that resemble the history: by their text (BM25), or by who bought them (ItemKNN)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from newsrec.errors import UserError
from newsrec.ranker.baselines.arrays import Lists, Purchases

K1, B = 1.5, 0.75  # the usual values
_BATCH_LISTS = 2_000


def bm25_scores(lists: Lists, items: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """BM25 of each candidate's title and description, shape (lists, K).

    The query is the text of the history: a word counts once for each product that has it. Robertson
    and Zaragoza: The Probabilistic Relevance Framework: BM25 and Beyond, 2009; its idf as Lucene
    has it, which is never negative.

    Raises:
        UserError: no item has a word.
    """
    texts = [f"{row['title']} {row['description'] or ''}" for row in items]
    try:
        counts = CountVectorizer(dtype=np.float64).fit_transform(texts).tocsr()
    except ValueError as error:
        raise UserError(
            f"data/processed/items.parquet: no title has a word ({error}); expected titles of words"
        ) from None
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    held = (counts > 0).astype(np.float64)
    num_with = np.asarray(held.sum(axis=0)).ravel()
    idf = np.log1p((len(texts) - num_with + 0.5) / (num_with + 0.5))
    weights = counts.copy()
    normal = K1 * (1 - B + B * lengths / lengths.mean())
    rows = np.repeat(np.arange(len(texts)), np.diff(counts.indptr))
    weights.data = counts.data * (K1 + 1) / (counts.data + normal[rows])
    return _products(lists, held, sparse.csr_matrix(weights.multiply(idf)))


def itemknn_scores(lists: Lists, train: Purchases) -> np.ndarray:
    """The summed cosine of a candidate and each product of the history, shape (lists, K).

    Over the users who bought them in train. Deshpande and Karypis: Item-based Top-N Recommendation
    Algorithms, ACM TOIS 2004; with all neighbours, as candidates are few.
    """
    num_items = max(int(part.max(initial=-1)) for part in (lists.candidates, lists.histories))
    num_items = max(num_items, int(train.item.max(initial=-1))) + 1
    num_users = int(train.user.max(initial=-1)) + 1
    bought = sparse.csr_matrix(
        (np.ones(len(train.item)), (train.item, train.user)), shape=(num_items, num_users)
    )
    bought = normalize(bought)
    return _products(lists, bought, bought)


def _products(
    lists: Lists, of_history: sparse.csr_matrix, of_candidates: sparse.csr_matrix
) -> np.ndarray:
    """The product of each candidate's row and the sum of the rows of its history."""
    scores = np.zeros(lists.candidates.shape)
    starts, num = lists.starts, lists.candidates.shape[1]
    for start in range(0, len(lists), _BATCH_LISTS):
        part = slice(start, start + _BATCH_LISTS)
        ends = np.append(starts[part][:1], lists.ends[part])
        shown = lists.histories[ends[0] : ends[-1]]
        chosen = sparse.csr_matrix(
            (np.ones(len(shown)), shown, ends - ends[0]),
            shape=(len(ends) - 1, of_history.shape[0]),
        )
        users = (chosen @ of_history)[np.repeat(np.arange(len(ends) - 1), num)]
        candidates = of_candidates[lists.candidates[part].ravel()]
        scores[part] = np.asarray(users.multiply(candidates).sum(axis=1)).reshape(-1, num)
    return scores
