"""What is minimised in training by reinforcement, one loss for each list.

`exact` is minus the expected NDCG itself, `softmax` the likelihood of the target alone, which is
supervised; `group` and `ppo` (`newsrec.ranker.rl.ppo`) estimate the gradient from rankings that
they draw.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from newsrec.metrics.plackett_luce import (
    expected_ndcg,
    ndcg_gains,
    sample_rankings,
    sampled_gain,
)
from newsrec.metrics.ranking import rank_metrics


def supervised_losses(scores: Tensor, labels: Tensor) -> Tensor:
    """Minus the log-probability that the target is ranked first.

    Args:
        scores: shape (lists, candidates).
        labels: the target's place, shape (lists,).

    Returns:
        Shape (lists,), in nats.
    """
    return cross_entropy(scores.double(), labels, reduction="none")


def exact_losses(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """Minus the expected NDCG@k, shape (lists,)."""
    return -expected_ndcg(scores, labels, k)


def group_losses(scores: Tensor, labels: Tensor, k: int, rankings: Tensor) -> Tensor:
    """What has the gradient of `exact_losses`, estimated from `rankings`, shape (lists,)."""
    return -sampled_gain(scores, labels, ndcg_gains(k), rankings)


def losses_of(method: str, scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """The losses that need no sampling: of `softmax` its own, of the others minus expected NDCG."""
    if method == "softmax":
        return supervised_losses(scores, labels)
    return exact_losses(scores, labels, k)


def draw_rankings(scores: Tensor, numbers: Tensor, num: int, seed: int, round_: int) -> Tensor:
    """Rankings of each list, the same whichever batch and process the list is in.

    Args:
        scores: shape (lists, candidates).
        numbers: of each list in the data set, shape (lists,).
        num: rankings of each.
        seed: of all draws.
        round_: another one draws others.

    Returns:
        Shape (lists, num, candidates).
    """
    drawn = []
    for row, number in zip(scores, numbers.tolist(), strict=True):
        (state,) = np.random.SeedSequence([seed, round_, number]).generate_state(1, np.uint64)
        drawn.append(sample_rankings(row, num, torch.Generator().manual_seed(int(state >> 1))))
    return torch.stack(drawn)


def mean_ndcg(scores: Tensor, labels: Tensor, k: int) -> float:
    """The mean NDCG@k of lists in the order of their scores, ties averaged over."""
    num_lists, size = scores.shape
    relevance = np.zeros((num_lists, size))
    relevance[np.arange(num_lists), labels.numpy()] = 1
    metrics = rank_metrics(
        pd.Series(np.repeat(np.arange(num_lists), size)),
        pd.Series(relevance.ravel()),
        pd.Series(scores.numpy().ravel()),
        k=(k,),
    )
    return float(metrics[f"ndcg_at_{k}"].mean())
