"""SASRec: learns what follows what, and the same on every run."""

import numpy as np
import pytest

from newsrec.errors import UserError
from newsrec.ranker.baselines.arrays import Purchases
from newsrec.ranker.baselines.sasrec import sasrec_scores, train_sasrec
from tests.ranker.baselines.test_systems import lists_of, purchases

pytestmark = pytest.mark.slow  # trains a network

NUM_ITEMS = 20


def rounds(num_users: int) -> Purchases:
    """Users who buy items in a circle: after item i comes i + 1."""
    rng = np.random.default_rng(1)
    rows = [
        (user, (int(start) + place) % NUM_ITEMS, 1000 - place)
        for user, start in enumerate(rng.integers(NUM_ITEMS, size=num_users))
        for place in range(6)
    ]
    return purchases(*sorted(rows, key=lambda row: -row[2]))


def test_what_follows_is_learned_from_the_order() -> None:
    trained = train_sasrec(rounds(200), NUM_ITEMS, epochs=60, max_users=1000, seed=1)
    assert trained.num_users == 200
    assert trained.loss < 1
    rows = [
        ([(item - 2) % 20, (item - 1) % 20], [(item + shift) % 20 for shift in (0, 5, 9, 18)])
        for item in range(NUM_ITEMS)
    ]
    scores = sasrec_scores(trained, lists_of(*rows))
    assert (scores.argmax(axis=1) == 0).mean() >= 0.9


def test_a_seed_trains_the_same_network_and_another_another() -> None:
    lists = lists_of(([1, 2, 3], [4, 9, 0]), ([7], [8, 1, 2]))
    one, same, other = (
        sasrec_scores(train_sasrec(rounds(70), 20, epochs=2, max_users=50, seed=seed), lists)
        for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).all()


def test_a_score_does_not_depend_on_the_lists_beside_it() -> None:
    trained = train_sasrec(rounds(70), 20, epochs=1, max_users=50, seed=1)
    rows = [([1, 2, 3], [4, 9, 0]), ([7], [8, 1, 2]), (list(range(20)) * 3, [1, 2, 3])]
    together = sasrec_scores(trained, lists_of(*rows))
    for place, row in enumerate(rows):
        assert sasrec_scores(trained, lists_of(row))[0] == pytest.approx(together[place], abs=1e-5)


def test_users_with_one_purchase_teach_nothing() -> None:
    with pytest.raises(UserError, match="no user has two purchases"):
        train_sasrec(purchases((0, 1, 5), (1, 2, 4)), 20, epochs=1, max_users=5, seed=1)
