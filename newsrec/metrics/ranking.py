"""Ranking metrics for each group of rows, vectorised over a whole evaluation set.

A group is ranked on its own, such as the results of one query. Every figure is exact under tied
scores: it is the mean over all orders of the tied rows, so it does not depend on the row order.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

_MAX_RELEVANCE = 1000  # 2**1000 is still a float64, and so are sums of it


def group_auc(group: pd.Series, relevance: pd.Series, score: pd.Series) -> pd.Series:
    """Area under the ROC curve of each group; a tied pair counts one half.

    Args and Raises: as `rank_metrics`.

    Returns:
        AUC by group; NaN for a group whose rows are all relevant or all not relevant.
    """
    return rank_metrics(group, relevance, score, k=())["auc"]


def rank_metrics(
    group: pd.Series, relevance: pd.Series, score: pd.Series, k: Sequence[int] = (5, 10)
) -> pd.DataFrame:
    """AUC, MRR, recall and nDCG of each group, exact under ties, and its numbers of (tied) pairs.

    nDCG uses graded relevance; for the others, a row is relevant if its relevance is above 0.

    - auc: the share of (relevant, not relevant) pairs in the right order; a tied pair counts one
      half (Mann and Whitney, 1947).
    - mrr: the mean of 1 / position over all relevant rows and not only the first, as in MIND's
      official scorer (msnews/MIND).
    - recall_at_<k>: the share of relevant rows that are among the first k; with one relevant row,
      this is the hit rate.
    - ndcg_at_<k>: gain 2^relevance - 1 and discount log2(position + 1), divided by the value of the
      ideal order (Järvelin and Kekäläinen, 2002; the gain of Burges et al., 2005).

    With ties, MRR, recall and nDCG are the expectation over a uniformly random order within each
    block of equal scores. They are linear in the gains of the positions, and the expected gain at
    any position of a block is the mean gain of the block, so the expectation is exact and needs no
    sampling.

    Without a relevant row, all four are NaN. If all rows are relevant, auc is NaN, but the others
    are defined. Leave out the groups whose auc is NaN to take all means over the same groups.

    `pairs` and `tied_pairs` count pairs of a relevant row and a row that is not relevant, as
    swapping two rows of equal relevance does not change the ranking. For binary relevance, the
    ratio of their totals is the tie rate: the share of all comparisons that the scores leave open.

    Args:
        group: the group of each row, shape (rows,); rows need not be sorted.
        relevance: from 0 to 1000, shape (rows,); 1 and 0 if it is binary.
        score: higher is ranked first, shape (rows,).
        k: the cut-offs of recall and nDCG.

    Returns:
        A row for each group, in order of first appearance, with auc, mrr and, for every k,
        recall_at_<k> and ndcg_at_<k> (float), tied_pairs, pairs and num_rows (int).

    Raises:
        ValueError: the lengths differ, a group or score is missing, a relevance is missing or not
            between 0 and 1000, or a k is below 1.
    """
    if min(k, default=1) < 1:
        raise ValueError(f"k is {tuple(k)}; expected numbers from 1")
    codes, groups = pd.factorize(group)
    scores = np.asarray(score, dtype=np.float64)
    relevances = np.asarray(relevance, dtype=np.float64)
    if not len(codes) == len(relevances) == len(scores):
        raise ValueError(f"{len(codes)} groups, {len(relevances)} relevances, {len(scores)} scores")
    in_range = (relevances >= 0) & (relevances <= _MAX_RELEVANCE)
    if (codes < 0).any() or np.isnan(scores).any() or not in_range.all():
        raise ValueError(
            f"expected a group, a relevance from 0 to {_MAX_RELEVANCE} and a score in every row"
        )
    order = np.lexsort((-scores, codes))
    codes, scores, relevances = codes[order], scores[order], relevances[order]
    relevant = (relevances > 0).astype(np.int64)
    gains = np.exp2(relevances) - 1

    num_rows = np.bincount(codes, minlength=len(groups))
    end = np.cumsum(num_rows)  # of the rows of each group
    start = end - num_rows
    position = np.arange(len(codes)) - start[codes] + 1  # from 1, best first

    # Blocks: neighbouring rows with the same group and score.
    differs = np.ones(len(codes), dtype=bool)
    differs[1:] = (codes[1:] != codes[:-1]) | (scores[1:] != scores[:-1])
    block_start = np.flatnonzero(differs)
    block_end = np.r_[block_start[1:], len(codes)]
    first_block = np.searchsorted(block_start, start)  # of each group
    block_rows = block_end - block_start
    relevant_before = np.r_[0, np.cumsum(relevant)]
    block_relevant = relevant_before[block_end] - relevant_before[block_start]

    num_relevant = np.add.reduceat(relevant, start)
    pairs = num_relevant * (num_rows - num_relevant)
    tied_pairs = np.add.reduceat(block_relevant * (block_rows - block_relevant), first_block)
    # The relevant rows of a block win over the other rows of the group that come after the block.
    group_end = end[codes[block_start]]
    relevant_after = relevant_before[group_end] - relevant_before[block_end]
    others_after = group_end - block_end - relevant_after
    won_pairs = np.add.reduceat(block_relevant * others_after, first_block)

    relevant_share = np.repeat(block_relevant / block_rows, block_rows)
    columns = {
        "auc": _ratio(won_pairs + tied_pairs / 2, pairs),
        "mrr": _ratio(np.add.reduceat(relevant_share / position, start), num_relevant),
    }
    block_gain = np.add.reduceat(gains, block_start) / block_rows
    discounted = np.repeat(block_gain, block_rows) / np.log2(position + 1)
    # The ideal order needs only the relevant rows: the others gain nothing.
    ideal = np.flatnonzero(relevant)
    ideal = ideal[np.lexsort((-gains[ideal], codes[ideal]))]
    ideal_codes = codes[ideal]
    ideal_position = np.arange(len(ideal)) - relevant_before[start[ideal_codes]] + 1
    ideal_discounted = gains[ideal] / np.log2(ideal_position + 1)
    for cut in k:
        found = np.add.reduceat(np.where(position <= cut, relevant_share, 0.0), start)
        columns[f"recall_at_{cut}"] = _ratio(found, num_relevant)
        gained = np.add.reduceat(np.where(position <= cut, discounted, 0.0), start)
        top = ideal_position <= cut
        # Summed position by position, so that equal gains always have the same sum.
        best = np.bincount(ideal_codes[top], ideal_discounted[top], minlength=len(groups))
        columns[f"ndcg_at_{cut}"] = _ratio(gained, best)
    counts = {"tied_pairs": tied_pairs, "pairs": pairs, "num_rows": num_rows}
    return pd.DataFrame(columns | counts, index=pd.Index(groups, name=group.name))


def _ratio(
    part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64] | npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """`part / whole`, and NaN where `whole` is 0."""
    ratio = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole != 0)
    return ratio
