"""How noisy the gradients of each method are, and how far training has moved the policy."""

import torch
from torch import Tensor

from newsrec.metrics.plackett_luce import (
    divergence,
    expected_gain,
    gradient_noise,
    ndcg_gains,
    sample_rankings,
    sampled_gain,
)
from newsrec.ranker.rl.objectives import exact_losses, mean_ndcg

_NUM_RANKINGS = 64  # of the group that is measured
_NUM_DRAWS = 16
_NUM_LISTS = 200


def audit_scores(start: Tensor, end: Tensor, labels: Tensor, k: int, seed: int) -> dict[str, float]:
    """Figures of the policy before and after training, on lists that it was not trained on.

    Args:
        start: scores before, shape (lists, candidates).
        end: and after.
        labels: the target's place, shape (lists,).
        k: of NDCG@k.
        seed: of the rankings drawn.

    Returns:
        NDCG@k of the order by score and its expectation, before and after; the divergence of the
        rankings after training from those before, in nats a list; and the noise of the gradient
        with respect to the scores relative to the exact one, by one ranking of each list with a
        perfect critic, and by 64 with and without the places behind the target.
    """
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, float] = {}
    for name, scores in (("start", start), ("end", end)):
        found[f"{name}_ndcg"] = mean_ndcg(scores, labels, k)
        found[f"{name}_expected_ndcg"] = -float(exact_losses(scores, labels, k).mean())
        for of, noise in _noise(scores[:_NUM_LISTS], labels[:_NUM_LISTS], k, generator).items():
            found[f"{name}_noise_{of}"] = noise
    found["divergence"] = float(divergence(end, start, _NUM_DRAWS, generator).mean())
    return found


def _noise(scores: Tensor, labels: Tensor, k: int, generator: torch.Generator) -> dict[str, float]:
    gains = ndcg_gains(k)
    critic = expected_gain(scores, labels, gains)

    def of(num: int, baseline: Tensor | None, masked: bool) -> float:
        def estimate(given: Tensor, draws: torch.Generator) -> Tensor:
            rankings = sample_rankings(given, num, draws)
            return sampled_gain(given, labels, gains, rankings, baseline, masked)

        return gradient_noise(scores, labels, gains, estimate, _NUM_DRAWS, generator)

    return {
        "one": of(1, critic, masked=False),
        "group": of(_NUM_RANKINGS, None, masked=False),
        "group_masked": of(_NUM_RANKINGS, None, masked=True),
    }
