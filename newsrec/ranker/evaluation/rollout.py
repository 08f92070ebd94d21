"""What a policy is worth where its order is drawn at random, as it was in training.

The order is one of Plackett and Luce, by the scores over a temperature. The greedy order, the
scores' own, has no temperature: see `newsrec.ranker.evaluation.figures`.
"""

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import torch

from newsrec.metrics.plackett_luce import (
    ndcg_gains,
    rank_distribution,
    ranks_of,
    reciprocal_gains,
    sample_rankings,
)
from newsrec.ranker.evaluation.figures import MAIN, cuts
from newsrec.ranker.evaluation.tables import Lists

Floats = npt.NDArray[np.float64]

_LISTS_AT_ONCE = 500


def drawn(
    lists: Lists, scores: Floats, temperature: float, num_rollouts: int, seed: int
) -> dict[str, Floats]:
    """The figures of each list over random orders, shape (lists,) each.

    expected_<figure> is the exact expectation; sampled_ndcg_at_10 the mean over some orders that
    are drawn, which is what a sampled evaluation would report.

    Args:
        lists: of one relevant candidate each.
        scores: logits, shape (lists, candidates).
        temperature: that they are divided by; higher: closer to a random order.
        num_rollouts: orders drawn of each list.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    num_candidates = scores.shape[1]
    gains = {f"expected_ndcg_at_{k}": ndcg_gains(k) for k in cuts(num_candidates)}
    gains |= {f"expected_hr_at_{k}": torch.ones(k) for k in cuts(num_candidates)}
    gains |= {"expected_mrr": reciprocal_gains(num_candidates)}
    found: dict[str, list[Floats]] = defaultdict(list)
    for start in range(0, len(scores), _LISTS_AT_ONCE):
        part = slice(start, start + _LISTS_AT_ONCE)
        logits = torch.from_numpy(scores[part] / temperature)
        target = torch.from_numpy(lists.target[part])
        ranks = rank_distribution(logits, target, num_candidates)
        for name, of_rank in gains.items():
            found[name].append((ranks[:, : len(of_rank)] @ of_rank.to(ranks)).numpy())
        orders = ranks_of(sample_rankings(logits, num_rollouts, generator), target)
        gained = torch.where(orders <= 10, 1 / torch.log2(orders.double() + 1), 0.0)
        found[f"sampled_{MAIN}"].append(gained.mean(dim=1).numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}
