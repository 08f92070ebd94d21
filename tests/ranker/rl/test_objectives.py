"""The losses: of draws that no batch decides, and of PPO over its inner steps."""

import math

import pytest
import torch
from torch.utils.data import SequentialSampler

from newsrec.metrics.plackett_luce import gains_of, log_probability, ndcg_gains
from newsrec.ranker.rl.objectives import (
    draw_rankings,
    exact_losses,
    group_losses,
    mean_ndcg,
    supervised_losses,
)
from newsrec.ranker.rl.ppo import Ppo
from newsrec.ranker.rl.trainer import WholeSteps

SCORES = torch.tensor([[1.0, 0.0, -1.0, 0.5], [0.0, 2.0, -1e4, -1e4]])
LABELS = torch.tensor([2, 1])
NUMBERS = torch.tensor([11, 12])


def test_the_losses_fall_where_the_target_s_score_rises() -> None:
    better = SCORES + torch.nn.functional.one_hot(LABELS, 4)
    for losses in (supervised_losses, lambda *given: exact_losses(*given, k=3)):
        assert (losses(better, LABELS) < losses(SCORES, LABELS)).all()
    assert supervised_losses(SCORES, LABELS)[1] == pytest.approx(math.log(1 + math.exp(-2)))
    # Of two candidates the target is first or second.
    first = 1 / (1 + math.exp(-2))
    expected = first + (1 - first) / math.log2(3)
    assert -exact_losses(SCORES, LABELS, 3)[1] == pytest.approx(expected, abs=1e-6)


def test_draws_of_a_list_are_the_same_in_every_batch_and_others_in_another_round() -> None:
    together = draw_rankings(SCORES, NUMBERS, 5, seed=1, round_=3)
    alone = draw_rankings(SCORES[1:], NUMBERS[1:], 5, seed=1, round_=3)
    assert torch.equal(together[1:], alone)
    assert not torch.equal(together, draw_rankings(SCORES, NUMBERS, 5, seed=1, round_=4))
    assert not torch.equal(together, draw_rankings(SCORES, NUMBERS, 5, seed=2, round_=3))
    # What is no candidate comes behind all that are.
    assert (together[1, :, :2] < 2).all()


def test_the_group_s_gradient_is_near_the_exact_one() -> None:
    scores = SCORES.double().requires_grad_()
    rankings = draw_rankings(scores.detach(), NUMBERS, 20_000, seed=1, round_=0)
    (found,) = torch.autograd.grad(group_losses(scores, LABELS, 3, rankings).sum(), scores)
    (exact,) = torch.autograd.grad(exact_losses(scores, LABELS, 3).sum(), scores)
    assert (found - exact).abs().max() < 0.01
    assert exact.abs().max() > 0.05


def test_ties_are_averaged_over() -> None:
    scores = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    third = (1 + 1 / math.log2(3)) / 3
    assert mean_ndcg(scores, torch.tensor([1, 2]), 2) == pytest.approx((third + 1) / 2)


def ppo() -> Ppo:
    return Ppo(k=3, num_rankings=2, inner_epochs=2, clip=0.2, entropy=0.0, value_weight=0.5, seed=1)


def test_the_first_step_on_a_draw_is_the_policy_gradient_and_the_next_is_clipped() -> None:
    method, values = ppo(), torch.zeros(2)
    scores = SCORES.double().requires_grad_()
    first = method.losses(scores, values, LABELS, NUMBERS, step=0)
    assert (method.figures["clip_share"], method.figures["divergence"]) == (0, 0)
    (found,) = torch.autograd.grad(first.sum(), scores)
    rankings = draw_rankings(SCORES, NUMBERS, 2, seed=1, round_=0)
    rewards = gains_of(rankings, LABELS, ndcg_gains(3))
    gained = (rewards * log_probability(scores, rankings)).mean(-1)
    (expected,) = torch.autograd.grad(-gained.sum(), scores)
    assert torch.allclose(found, expected)
    # The draws of the first step are those of the second, and so are its probabilities.
    moved = (SCORES * 3).double().requires_grad_()
    second = method.losses(moved, values, LABELS, NUMBERS, step=1)
    ratios = (log_probability(moved, rankings) - log_probability(SCORES, rankings)).exp()
    expected_gain = torch.minimum(ratios * rewards, ratios.clamp(0.8, 1.2) * rewards).mean(-1)
    missed = rewards.square().mean(-1)
    assert torch.allclose(second, 0.5 * missed - expected_gain)
    assert method.figures["clip_share"] > 0
    assert method.figures["divergence"] > 0
    again = method.losses(moved, values, LABELS, NUMBERS, step=2)
    assert method.figures["clip_share"] == 0
    assert again.isfinite().all()


def test_entropy_is_rewarded() -> None:
    def loss(entropy: float) -> float:
        method = Ppo(
            k=3, num_rankings=1, inner_epochs=1, clip=0.2, entropy=entropy, value_weight=0, seed=1
        )
        given = torch.zeros(1, 4), torch.zeros(1), torch.tensor([0]), torch.tensor([1])
        return float(method.losses(*given, step=0))

    # Of four, three, two and one that are left.
    assert loss(0.0) - loss(1.0) == pytest.approx(sum(map(math.log, (4, 3, 2, 1))) / 4)


def test_a_step_is_whole_and_comes_again() -> None:
    steps = WholeSteps(SequentialSampler(range(9)), batch_size=2, batches_per_step=2, repeats=2)
    step, other = [[0, 1], [2, 3]], [[4, 5], [6, 7]]
    assert list(steps) == [*step, *step, *other, *other]
    assert len(steps) == 8
