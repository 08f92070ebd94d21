"""Rankings drawn by the model of Plackett (1975) and Luce (1959), of which one item is relevant.

An item is drawn for the first place, one of the rest for the second and so on, each in proportion
to the exponential of its score. Expectations over all such rankings are exact here, and can be
differentiated; estimates of their gradients from sampled rankings are beside them, and how much
noise those have.

Scores have the shape (..., items), the index of the relevant item has (...), and sampled rankings
(..., rankings, items): the items' indices from the first place on.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

# How ranks weigh: one value for rank 1, one for rank 2 and so on; none beyond.
Gains = Tensor

# The race of `rank_distribution`, at times that are evenly spaced in their logarithm. An arrival
# is a feature of the same width wherever it is, so that no difference of scores is too large for
# the rule; with 64 nodes of Gauss and Legendre in (0, 1) the error goes up to 1e-4.
_FIRST, _LAST, _NUM_NODES = -18.0, 4.0, 96
_ARRIVED = 6.0  # exp(-exp(6)) is 0: the probability is 1, and no gradient is left


def ndcg_gains(k: int) -> Gains:
    """The gain of each rank up to `k` in nDCG@k of one relevant item: 1 / log2(rank + 1)."""
    return 1 / torch.log2(torch.arange(1, k + 1, dtype=torch.float64) + 1)


def reciprocal_gains(num_items: int) -> Gains:
    """The gain of each rank in the reciprocal rank."""
    return 1 / torch.arange(1, num_items + 1, dtype=torch.float64)


def rank_distribution(scores: Tensor, relevant: Tensor, max_rank: int) -> Tensor:
    """The probability of each rank of the relevant item, up to `max_rank`.

    The items are runners whose times of arrival are exponential with the rate exp(score): their
    order is a ranking of Plackett and Luce. Given the relevant item's time the others arrive
    before it independently, each with a probability of its own, and how many do is
    Poisson-binomial; over that time, the trapezoidal rule is applied to its logarithm. The error
    is below 1e-7 for 20 items and 1e-6 for 50.

    Returns:
        Shape (..., ranks), float64, differentiable; `max_rank` ranks, or as many as items.
    """
    scores = scores.double()
    index = relevant.unsqueeze(-1)
    # Of the others' rates to the relevant item's own, which never comes before itself.
    ratios = (scores - scores.gather(-1, index)).scatter(-1, index, -torch.inf)
    times = torch.linspace(_FIRST, _LAST, _NUM_NODES, dtype=torch.float64, device=scores.device)
    weights = torch.softmax(times - times.exp(), dim=0)
    exponents = (times.unsqueeze(-1) + ratios.unsqueeze(-2)).clamp(max=_ARRIVED).exp()
    before = -torch.expm1(-exponents)  # shape (..., nodes, items)
    num_ranks = min(max_rank, scores.shape[-1])
    # Of how many have come before, after each item: the first is that none has.
    counts = torch.zeros(*before.shape[:-1], num_ranks, dtype=before.dtype, device=before.device)
    counts[..., 0] = 1
    for share in before.unbind(-1):
        share = share.unsqueeze(-1)
        one_more = torch.nn.functional.pad(counts[..., :-1], (1, 0))
        counts = counts + (one_more - counts) * share
    return weights @ counts


def expected_gain(scores: Tensor, relevant: Tensor, gains: Gains) -> Tensor:
    """The expected gain of the relevant item's rank, shape (...), float64, differentiable."""
    ranks = rank_distribution(scores, relevant, len(gains))
    return ranks @ gains[: ranks.shape[-1]].to(ranks)


def expected_ndcg(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """The expected nDCG@k of rankings drawn by the scores, shape (...), float64, differentiable."""
    return expected_gain(scores, relevant, ndcg_gains(k))


def expected_reciprocal_rank(scores: Tensor, relevant: Tensor) -> Tensor:
    """The expected reciprocal rank, shape (...), float64, differentiable."""
    return expected_gain(scores, relevant, reciprocal_gains(scores.shape[-1]))


def sample_rankings(scores: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """Rankings drawn by the scores, shape (..., num, items).

    Scores plus Gumbel noise, the highest first (Yellott, 1977).

    Args:
        scores: of each item.
        num: rankings of each row.
        generator: of a CPU, so that the draws are the same on every device.
    """
    *rows, num_items = scores.shape
    noise = torch.empty(*rows, num, num_items, dtype=torch.float64)
    noise.exponential_(generator=generator)
    keys = scores.detach().double().unsqueeze(-2) - noise.log().to(scores.device)
    return keys.argsort(dim=-1, descending=True)


def ranks_of(rankings: Tensor, relevant: Tensor) -> Tensor:
    """The relevant item's rank in each ranking, from 1, shape (..., rankings)."""
    return (rankings == relevant[..., None, None]).int().argmax(-1) + 1


def gains_of(rankings: Tensor, relevant: Tensor, gains: Gains) -> Tensor:
    """The gain of each ranking, shape (..., rankings), float64."""
    beyond = torch.nn.functional.pad(gains, (0, max(0, rankings.shape[-1] - len(gains))))
    return beyond.to(rankings.device)[ranks_of(rankings, relevant) - 1]


def log_probability(scores: Tensor, rankings: Tensor, num_places: Tensor | None = None) -> Tensor:
    """The log-probability of each ranking, shape (..., rankings), float64, differentiable.

    Args:
        scores: of each item, all finite.
        rankings: of them.
        num_places: how many places count, from the first one, shape (..., rankings): the
            log-probability of the ranking's beginning. None: all.
    """
    ordered = scores.double().unsqueeze(-2).expand(rankings.shape).gather(-1, rankings)
    rest = ordered.flip(-1).logcumsumexp(-1).flip(-1)
    places = ordered - rest
    if num_places is not None:
        is_counted = torch.arange(places.shape[-1], device=places.device) < num_places[..., None]
        places = places.where(is_counted, 0.0)
    return places.sum(-1)


def leave_one_out(rewards: Tensor) -> Tensor:
    """Each reward minus the mean of its row's others (Kool et al., 2019), shape (..., rankings)."""
    num = rewards.shape[-1]
    return (rewards - rewards.mean(-1, keepdim=True)) * (num / (num - 1))


def sampled_gain(
    scores: Tensor,
    relevant: Tensor,
    gains: Gains,
    rankings: Tensor,
    baseline: Tensor | None = None,
    masked: bool = True,
) -> Tensor:
    """What has the gradient of `expected_gain`, estimated from rankings drawn by these scores.

    REINFORCE (Williams, 1992): only the gradient is an estimate; the value is none.

    Args:
        scores: of each item, all finite.
        relevant: index of the relevant item.
        gains: of each rank.
        rankings: drawn by `sample_rankings`.
        baseline: subtracted from each gain, shape (...); None: the mean gain of the row's other
            rankings, of which there must be two or more.
        masked: leave out the places behind the relevant item. They do not change the gain, and
            their log-probability adds noise alone.

    Returns:
        Shape (...), float64.
    """
    rewards = gains_of(rankings, relevant, gains)
    advantages = leave_one_out(rewards) if baseline is None else rewards - baseline[..., None]
    places = ranks_of(rankings, relevant) if masked else None
    return (advantages.detach() * log_probability(scores, rankings, places)).mean(-1)


def gradient_noise(
    scores: Tensor,
    relevant: Tensor,
    gains: Gains,
    estimate: Callable[[Tensor, torch.Generator], Tensor],
    num_draws: int,
    generator: torch.Generator,
) -> float:
    """How much an estimated gradient differs from the exact one, relative to the exact one.

    Args:
        scores: shape (rows, items).
        relevant: shape (rows,).
        gains: of each rank.
        estimate: of scores to what has the estimated gradient, shape (rows,), like `sampled_gain`
            of rankings that it draws.
        num_draws: estimates of each row.
        generator: of the draws.

    Returns:
        The root of the mean squared distance over the root of the mean squared length of the exact
        gradient, both over all rows.
    """
    scores = scores.detach().double().requires_grad_()
    (exact,) = torch.autograd.grad(expected_gain(scores, relevant, gains).sum(), scores)
    squared = 0.0
    for _ in range(num_draws):
        (found,) = torch.autograd.grad(estimate(scores, generator).sum(), scores)
        squared += float((found - exact).square().sum())
    return math.sqrt(squared / num_draws / float(exact.square().sum()))


def divergence(scores: Tensor, others: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """The Kullback-Leibler divergence of the rankings by `scores` from those by `others`, in nats.

    Of each choice it is exact, among the items that rankings drawn by `scores` leave for it.

    Args:
        scores: that rankings are drawn by, all finite.
        others: of the same items, all finite.
        num: rankings that it is estimated from.
        generator: of the draws.

    Returns:
        Shape (...), float64.
    """
    rankings = sample_rankings(scores, num, generator)
    ours, theirs = (choices(of, rankings) for of in (scores, others))
    # What is not left any more counts nothing.
    return (ours.exp() * (ours - theirs).nan_to_num(nan=0.0)).sum((-1, -2)).mean(-1)


def choices(scores: Tensor, rankings: Tensor) -> Tensor:
    """The log-probabilities of each place's choice among the items left, in the ranking's order.

    Returns:
        Shape (..., rankings, places, items), float64, differentiable; minus infinity for an item
        that has an earlier place.
    """
    ordered = scores.double().unsqueeze(-2).expand(rankings.shape).gather(-1, rankings)
    num = ordered.shape[-1]
    is_left = torch.ones(num, num, dtype=torch.bool, device=scores.device).triu()
    return ordered.unsqueeze(-2).masked_fill(~is_left, -torch.inf).log_softmax(-1)
