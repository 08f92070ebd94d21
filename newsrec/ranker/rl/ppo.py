"""Proximal policy optimisation (arXiv 1707.06347) of whole rankings, as in the published recipe.

A ranking is one action: its reward is NDCG@k, its ratio that of the probabilities of all its places
under the policy of now and under that of the first step on the same draws.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from newsrec.metrics.plackett_luce import choices, gains_of, log_probability, ndcg_gains
from newsrec.ranker.rl.objectives import draw_rankings


@dataclass(frozen=True)
class _Rollout:
    """Rankings of one list, and what the policy that drew them said: shapes begin (rankings,)."""

    rankings: Tensor
    rewards: Tensor
    log_probs: Tensor
    value: Tensor  # shape ()


class Ppo:
    """The losses of lists, over steps of which `inner_epochs` at a time are on the same draws."""

    def __init__(
        self,
        *,
        k: int,
        num_rankings: int,
        inner_epochs: int,
        clip: float,
        entropy: float,
        value_weight: float,
        seed: int,
    ) -> None:
        self._gains, self._num_rankings, self._inner = ndcg_gains(k), num_rankings, inner_epochs
        self._clip, self._entropy, self._value_weight = clip, entropy, value_weight
        self._seed = seed
        self._round = -1
        self._rollouts: dict[int, _Rollout] = {}  # of the round, by the list's number
        self.figures: dict[str, float] = {}  # of the last losses

    def losses(
        self, scores: Tensor, values: Tensor, labels: Tensor, numbers: Tensor, step: int
    ) -> Tensor:
        """The loss of each list, shape (lists,).

        Args:
            scores: shape (lists, candidates).
            values: the critic's estimate of the reward, shape (lists,).
            labels: the target's place, shape (lists,).
            numbers: of the lists in the data set, shape (lists,).
            step: of training, from 0.
        """
        if step // self._inner != self._round:
            self._round, self._rollouts = step // self._inner, {}
        if step % self._inner == 0:
            self._draw(scores.detach(), values.detach(), labels, numbers)
        found = [self._rollouts[number] for number in numbers.tolist()]
        rankings = torch.stack([one.rankings for one in found])
        rewards = torch.stack([one.rewards for one in found])
        before = torch.stack([one.log_probs for one in found])
        advantages = rewards - torch.stack([one.value for one in found])[:, None]
        log_ratios = log_probability(scores, rankings) - before
        ratios = log_ratios.exp()
        clipped = ratios.clamp(1 - self._clip, 1 + self._clip)
        gained = torch.minimum(ratios * advantages, clipped * advantages).mean(-1)
        missed = (values.double()[:, None] - rewards).square().mean(-1)
        change = (ratios - 1).detach()
        self.figures = {
            "clip_share": float((change.abs() > self._clip).double().mean()),
            # Schulman's estimate, which is never below 0.
            "divergence": float((change - log_ratios.detach()).mean()),
            "explained_variance": _explained(rewards, values.detach().double()[:, None]),
        }
        disorder = _entropy(scores, rankings).mean(-1)
        return self._value_weight * missed - gained - self._entropy * disorder

    def _draw(self, scores: Tensor, values: Tensor, labels: Tensor, numbers: Tensor) -> None:
        rankings = draw_rankings(scores, numbers, self._num_rankings, self._seed, self._round)
        rewards = gains_of(rankings, labels, self._gains)
        log_probs = log_probability(scores, rankings)
        for row, number in enumerate(numbers.tolist()):
            self._rollouts[number] = _Rollout(
                rankings[row], rewards[row], log_probs[row], values[row].double()
            )


def _entropy(scores: Tensor, rankings: Tensor) -> Tensor:
    """The mean entropy of a ranking's choices among those left, in nats, shape (..., rankings)."""
    chosen = choices(scores, rankings)
    # An item that is not left has no share, and no gradient.
    logs = chosen.masked_fill(chosen.isneginf(), 0.0)
    return -(chosen.exp() * logs).sum(-1).mean(-1)


def _explained(rewards: Tensor, values: Tensor) -> float:
    """The share of the rewards' variance that the values explain; 0 where they do not vary."""
    total = float(rewards.var(correction=0))
    return 1 - float((rewards - values).var(correction=0)) / total if total > 0 else 0.0
