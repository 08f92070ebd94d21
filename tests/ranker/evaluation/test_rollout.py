"""The exact expectation under Plackett-Luce beside what drawn orders say."""

import itertools

import numpy as np
import pytest

from newsrec.ranker.evaluation.figures import greedy, of_random_order
from newsrec.ranker.evaluation.rollout import drawn
from newsrec.ranker.evaluation.tables import Lists
from tests.ranker.evaluation.test_figures import made, noise

pytestmark = pytest.mark.slow  # imports PyTorch


def by_enumeration(scores: np.ndarray, target: int) -> dict[str, float]:
    """NDCG@5 and the reciprocal rank over every order, each with its probability."""
    found = {"expected_ndcg_at_5": 0.0, "expected_mrr": 0.0, "expected_hr_at_1": 0.0}
    for order in itertools.permutations(range(len(scores))):
        rest, probability = np.exp(scores).sum(), 1.0
        for one in order:
            probability *= np.exp(scores[one]) / rest
            rest -= np.exp(scores[one])
        rank = order.index(target) + 1
        found["expected_ndcg_at_5"] += probability * (rank <= 5) / np.log2(rank + 1)
        found["expected_mrr"] += probability / rank
        found["expected_hr_at_1"] += probability * (rank == 1)
    return found


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_expectation_is_that_over_every_order(temperature: float) -> None:
    lists = made(num=4, num_candidates=6)
    scores = noise(lists, 1.0, 5)
    found = drawn(lists, scores, temperature, num_rollouts=4, seed=1)
    for place in range(4):
        expected = by_enumeration(scores[place] / temperature, int(lists.target[place]))
        assert {name: found[name][place] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_drawn_orders_agree_with_the_expectation_within_their_noise() -> None:
    lists = made(num=600)
    found = drawn(lists, noise(lists, 2.0, 5), 1.0, num_rollouts=200, seed=1)
    assert len(found["sampled_ndcg_at_10"]) == 600  # more than are worked on at once
    off = found["sampled_ndcg_at_10"] - found["expected_ndcg_at_10"]
    assert abs(off.mean()) < 4 * 0.35 / np.sqrt(600 * 200)
    assert off.std() > 0


def test_a_low_temperature_is_the_greedy_order_and_a_high_one_is_random() -> None:
    lists: Lists = made()
    scores = noise(lists, 1.0, 5)
    order = greedy(lists, scores)
    cold = drawn(lists, scores, 1e-4, 2, 1)
    hot = drawn(lists, scores, 1e6, 2, 1)
    for name in ("ndcg_at_10", "hr_at_5", "mrr"):
        assert cold[f"expected_{name}"] == pytest.approx(order[name], abs=1e-5)
        random = of_random_order(20)[name]
        assert hot[f"expected_{name}"] == pytest.approx(np.full(40, random), abs=1e-5)
