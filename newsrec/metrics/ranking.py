"""Ranking metrics per impression, vectorised over a whole evaluation set.

As MIND's official scorer (`evaluate.py` of msnews/MIND), but exact where scores tie: the scorer
then ranks by the order of the candidates in the file, these are the mean over every order.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd


def impression_auc(impression: pd.Series, label: pd.Series, score: pd.Series) -> pd.Series:
    """Area under the ROC curve of each impression; a tied pair counts half.

    As MIND's official scorer, which takes scikit-learn's `roc_auc_score` per impression.

    Args:
        impression: the impression of each row, shape (rows,).
        label: 1 for a click, 0 for none, shape (rows,).
        score: higher is more likely clicked, shape (rows,).

    Returns:
        AUC by impression; NaN for an impression whose labels are all equal, which has none.

    Raises:
        ValueError: as `rank_metrics`.
    """
    return rank_metrics(impression, label, score)["auc"]


def rank_metrics(impression: pd.Series, label: pd.Series, score: pd.Series) -> pd.DataFrame:
    """AUC, MRR and nDCG of each impression, exact under ties; its pairs and how many tie.

    - auc: the share of (click, other) pairs in the right order, a tied pair counting half (Mann and
      Whitney, 1947).
    - mrr: sum(y / position) / sum(y), over all clicks and not only the first, as the scorer.
    - ndcg_at_k: gain 2^y - 1, discount log2(position + 1), over the ideal order's (Järvelin and
      Kekäläinen, 2002).

    With ties, MRR and nDCG are the expectation over uniformly random order within each block of
    equal scores. Both are linear in the relevance at each position, and the expected relevance at
    any position of a block with c clicks among n candidates is c / n: exact, no sampling.

    One class only: without a click the scorer divides 0 by 0, so auc, mrr and ndcg are NaN; with
    nothing but clicks it fails at the AUC, so auc is NaN, but mrr and ndcg exist (ndcg is 1). Leave
    out the impressions whose auc is NaN to take all four means over the same ones.

    `pairs` and `tied_pairs` count pairs of candidates of different label, as only these can move a
    metric: swapping two clicks, or two others, leaves the list of labels as it was. Their totals'
    ratio is the tie rate, the share of all comparisons that the scores leave to a coin.

    Args:
        impression: the impression of each row, shape (rows,); rows need not be sorted.
        label: 1 for a click, 0 for none, shape (rows,).
        score: higher is more likely clicked, shape (rows,).

    Returns:
        A row for each impression, in order of first appearance, with auc, mrr, ndcg_at_5,
        ndcg_at_10 (float), tied_pairs, pairs and num_rows (int).

    Raises:
        ValueError: the three differ in length, an impression or score is missing, or a label is
            neither 0 nor 1.
    """
    codes, impressions = pd.factorize(impression)
    scores = np.asarray(score, dtype=np.float64)
    labels = np.asarray(label)
    if not len(codes) == len(labels) == len(scores):
        raise ValueError(f"{len(codes)} impressions, {len(labels)} labels, {len(scores)} scores")
    if (codes < 0).any() or np.isnan(scores).any() or not np.isin(labels, (0, 1)).all():
        raise ValueError("expected an impression, a label of 0 or 1 and a score in every row")
    order = np.lexsort((-scores, codes))
    codes, scores = codes[order], scores[order]
    clicks = labels[order].astype(np.int64)

    num_rows = np.bincount(codes, minlength=len(impressions))
    end = np.cumsum(num_rows)  # of each impression's rows
    start = end - num_rows
    position = np.arange(len(codes)) - start[codes] + 1  # from 1, best first

    # Blocks: neighbours of one impression and one score.
    differs = np.ones(len(codes), dtype=bool)
    differs[1:] = (codes[1:] != codes[:-1]) | (scores[1:] != scores[:-1])
    block_start = np.flatnonzero(differs)
    block_end = np.r_[block_start[1:], len(codes)]
    first_block = np.searchsorted(block_start, start)  # of each impression
    block_rows = block_end - block_start
    clicks_before = np.r_[0, np.cumsum(clicks)]
    block_clicks = clicks_before[block_end] - clicks_before[block_start]
    relevance = np.repeat(block_clicks / block_rows, block_rows)

    num_clicks = np.add.reduceat(clicks, start)
    pairs = num_clicks * (num_rows - num_clicks)
    tied_pairs = np.add.reduceat(block_clicks * (block_rows - block_clicks), first_block)
    # A block's clicks win over the others of its impression that come after it.
    impression_end = end[codes[block_start]]
    clicks_after = clicks_before[impression_end] - clicks_before[block_end]
    others_after = impression_end - block_end - clicks_after
    won_pairs = np.add.reduceat(block_clicks * others_after, first_block)

    columns = {
        "auc": _ratio(won_pairs + tied_pairs / 2, pairs),
        "mrr": _ratio(np.add.reduceat(relevance / position, start), num_clicks),
    }
    discounted = relevance / np.log2(position + 1)
    for k in (5, 10):
        gained = np.add.reduceat(np.where(position <= k, discounted, 0.0), start)
        ideal = np.r_[0, np.cumsum(1 / np.log2(np.arange(k) + 2))][np.minimum(num_clicks, k)]
        columns[f"ndcg_at_{k}"] = _ratio(gained, ideal)
    counts = {"tied_pairs": tied_pairs, "pairs": pairs, "num_rows": num_rows}
    return pd.DataFrame(columns | counts, index=pd.Index(impressions, name=impression.name))


def _ratio(
    part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64] | npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """`part / whole`, NaN where `whole` is 0."""
    ratio = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole != 0)
    return ratio
