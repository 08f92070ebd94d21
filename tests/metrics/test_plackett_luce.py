"""Expectations under Plackett-Luce against enumeration, and the estimates against the exact."""

import itertools
import math

import pytest
import torch

from newsrec.metrics import plackett_luce as pl


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def enumerated(scores: torch.Tensor, relevant: int) -> torch.Tensor:
    """The probability of each rank, by the product of every permutation's choices."""
    orders = torch.tensor(list(itertools.permutations(range(len(scores)))))
    weights = scores.exp()[orders]
    left = weights.sum(-1, keepdim=True) - weights.cumsum(-1) + weights
    chances = (weights / left).prod(-1)
    places = (orders == relevant).int().argmax(-1)
    return torch.stack([chances[places == place].sum() for place in range(len(scores))])


@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_the_exact_expectation_equals_enumeration(scale: float) -> None:
    scores = (torch.randn(6, generator=generator(3), dtype=torch.float64) * scale).requires_grad_()
    relevant = torch.tensor(2)
    expected = enumerated(scores, 2)
    found = pl.rank_distribution(scores, relevant, 6)
    assert (found - expected).abs().max() < 1e-7
    gains = pl.ndcg_gains(4)
    ndcg, reciprocal = (expected[:4] * gains).sum(), (expected / torch.arange(1, 7)).sum()
    assert (pl.expected_ndcg(scores, relevant, 4) - ndcg).abs() < 1e-6
    assert (pl.expected_reciprocal_rank(scores, relevant) - reciprocal).abs() < 1e-6
    (slope,) = torch.autograd.grad(pl.expected_ndcg(scores, relevant, 4), scores)
    (expected_slope,) = torch.autograd.grad(ndcg, scores)
    assert (slope - expected_slope).abs().max() < 1e-6


def test_items_of_equal_scores_share_every_rank() -> None:
    found = pl.rank_distribution(torch.full((3, 20), 7.5), torch.tensor([0, 5, 19]), 20)
    assert found == pytest.approx(torch.full((3, 20), 1 / 20).numpy(), abs=1e-5)
    assert pl.expected_ndcg(torch.zeros(20), torch.tensor(4), 10) == pytest.approx(
        0.22718, abs=1e-5
    )


@pytest.mark.parametrize("difference", [20.0, 1e4])
def test_scores_far_apart_have_a_finite_gradient(difference: float) -> None:
    scores = torch.tensor([0.0, difference, -difference, 1.0], requires_grad=True)
    found = pl.rank_distribution(scores, torch.tensor(0), 4)
    # Behind the best one for certain, before the worst, against the last by their odds.
    behind = 1 / (1 + math.exp(-1.0))
    assert found.tolist() == pytest.approx([0, 1 - behind, behind, 0], abs=1e-6)
    (slope,) = torch.autograd.grad(found[1], scores)
    assert slope.isfinite().all()
    assert slope[3] == pytest.approx(-behind * (1 - behind), abs=1e-6)


def test_a_row_of_many_is_what_it_is_alone() -> None:
    scores = torch.randn(2, 5, 8, generator=generator(1))
    relevant = torch.randint(0, 8, (2, 5), generator=generator(2))
    together = pl.expected_ndcg(scores, relevant, 3)
    alone = pl.expected_ndcg(scores[1, 4], relevant[1, 4], 3)
    assert together.shape == (2, 5)
    assert together[1, 4] == pytest.approx(float(alone), abs=1e-12)


def test_sampled_rankings_have_the_probabilities_of_the_model() -> None:
    scores = torch.tensor([1.0, 0.0, -0.5])
    rankings = pl.sample_rankings(scores, 20_000, generator())
    orders, counts = rankings.unique(dim=0, return_counts=True)
    expected = pl.log_probability(scores, orders).exp()
    assert expected.sum() == pytest.approx(1, abs=1e-12)
    assert (counts / 20_000) == pytest.approx(expected.numpy(), abs=0.015)


def test_a_ranking_s_beginning_is_as_probable_as_all_that_begin_so() -> None:
    scores = torch.tensor([0.3, -1.0, 2.0, 0.0])
    orders = torch.tensor([order for order in itertools.permutations(range(4)) if order[0] == 1])
    whole = pl.log_probability(scores, orders).exp().sum()
    begun = pl.log_probability(scores, orders[:1], torch.tensor([1])).exp()
    assert whole == pytest.approx(float(begun), abs=1e-12)
    assert begun == pytest.approx(float(torch.softmax(scores.double(), -1)[1]), abs=1e-12)


def test_the_gain_of_a_ranking_is_that_of_the_relevant_item_s_rank() -> None:
    rankings = torch.tensor([[2, 0, 1, 3], [3, 1, 2, 0]])
    gains = pl.ndcg_gains(2)
    assert pl.ranks_of(rankings, torch.tensor(0)).tolist() == [2, 4]
    assert pl.gains_of(rankings, torch.tensor(0), gains).tolist() == [1 / math.log2(3), 0]
    assert pl.leave_one_out(torch.tensor([1.0, 0.0, 0.5])).tolist() == [0.75, -0.75, 0]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("has_critic", [True, False])
def test_the_mean_of_sampled_gradients_is_the_exact_one(masked: bool, has_critic: bool) -> None:
    gains, relevant = pl.ndcg_gains(5), torch.tensor([3])
    scores = torch.randn(1, 8, generator=generator(4), dtype=torch.float64).requires_grad_()
    exact = pl.expected_gain(scores, relevant, gains)
    (expected,) = torch.autograd.grad(exact.sum(), scores)
    many = scores.expand(4000, 8)
    rankings = pl.sample_rankings(many, 4, generator(5))
    baseline = exact.detach().expand(4000) if has_critic else None
    found = pl.sampled_gain(many, relevant.expand(4000), gains, rankings, baseline, masked)
    (slope,) = torch.autograd.grad(found.mean(), scores)
    assert (slope - expected).abs().max() < 0.015
    assert expected.abs().max() > 0.1


def noise(num: int, masked: bool, has_critic: bool) -> float:
    gains = pl.ndcg_gains(10)
    scores = torch.randn(20, 20, generator=generator(6), dtype=torch.float64)
    relevant = torch.zeros(20, dtype=torch.long)
    critic = pl.expected_gain(scores, relevant, gains) if has_critic else None

    def estimate(given: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        rankings = pl.sample_rankings(given, num, draws)
        return pl.sampled_gain(given, relevant, gains, rankings, critic, masked)

    return pl.gradient_noise(scores, relevant, gains, estimate, 6, generator(7))


def test_the_audit_finds_what_makes_a_gradient_noisy() -> None:
    one = noise(1, masked=False, has_critic=True)
    group = noise(64, masked=False, has_critic=False)
    masked = noise(64, masked=True, has_critic=False)
    assert one > 3
    assert masked < group < one / 5
    assert masked < 0.6
    exact = pl.gradient_noise(
        torch.randn(3, 5), relevant := torch.zeros(3, dtype=torch.long), pl.ndcg_gains(3),
        lambda scores, _: pl.expected_ndcg(scores, relevant, 3), 2, generator(),
    )  # fmt: skip
    assert exact == 0


def test_the_divergence_of_a_model_from_itself_is_nothing() -> None:
    scores = torch.randn(3, 6, generator=generator(8), dtype=torch.float64)
    assert pl.divergence(scores, scores + 5, 10, generator()).abs().max() < 1e-12
    others = torch.randn(3, 6, generator=generator(9))
    assert (pl.divergence(scores, others, 500, generator()) > 0.1).all()
