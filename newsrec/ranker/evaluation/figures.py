"""What systems are worth on the same lists, and what each has more than each other one."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from newsrec.metrics.ranking import rank_metrics
from newsrec.metrics.significance import (
    ClusterBootstrap,
    detectable,
    groups_needed,
    interval,
    paired,
)
from newsrec.ranker.evaluation.tables import Lists

Floats = npt.NDArray[np.float64]
Figure = dict[str, float]  # value, low and high: the 95 % interval

CUTS = (1, 5, 10, 20)
MAIN = "ndcg_at_10"
EXPECTED = f"expected_{MAIN}"
COMPARED = (MAIN, "ndcg_at_1", "hr_at_10", "mrr", EXPECTED)


def cuts(num_candidates: int) -> list[int]:
    """The cut-offs that lists of this length have."""
    return [cut for cut in CUTS if cut <= num_candidates]


def greedy(lists: Lists, scores: Floats) -> dict[str, Floats]:
    """The figures of each list in the order of its scores, exact under ties, shape (lists,) each.

    ndcg_at_<k>, hr_at_<k> and mrr, see `newsrec.metrics.ranking.rank_metrics`, and tie_rate: 1
    where the target has the score of another candidate, else 0.

    Args:
        lists: of one relevant candidate each.
        scores: higher is ranked first, shape (lists, candidates).
    """
    num_lists, num_candidates = scores.shape
    group = pd.Series(np.repeat(np.arange(num_lists), num_candidates), name="list")
    relevance = np.zeros(scores.shape)
    relevance[np.arange(num_lists), lists.target] = 1
    ks = cuts(num_candidates)
    found = rank_metrics(group, pd.Series(relevance.ravel()), pd.Series(scores.ravel()), ks)
    figures = {f"ndcg_at_{k}": found[f"ndcg_at_{k}"].to_numpy() for k in ks}
    figures |= {f"hr_at_{k}": found[f"recall_at_{k}"].to_numpy() for k in ks}
    figures |= {"mrr": found["mrr"].to_numpy()}
    return figures | {"tie_rate": (found["tied_pairs"] > 0).to_numpy(dtype=np.float64)}


def of_random_order(num_candidates: int) -> dict[str, float]:
    """The expectation of each figure of `greedy` where the order is random."""
    gains = {f"ndcg_at_{k}": _gains(num_candidates, k) for k in cuts(num_candidates)}
    found = {name: float(of.mean()) for name, of in gains.items()}
    found |= {f"hr_at_{k}": k / num_candidates for k in cuts(num_candidates)}
    return found | {"mrr": float((1 / np.arange(1, num_candidates + 1)).mean())}


def measure(
    of_lists: Mapping[str, Mapping[str, Floats]], bootstrap: ClusterBootstrap
) -> tuple[dict[str, dict[str, Figure]], dict[str, dict[str, Figure]]]:
    """The mean of every figure with its interval, and of every two systems what the one has more.

    Args:
        of_lists: by system and figure, shape (lists,) each.
        bootstrap: over the users of the lists.

    Returns:
        By system and figure `value`, `low` and `high`; by "a vs b", a before b in the order given,
        and figure of `COMPARED` the same of a's minus b's, and `p`.
    """
    names = [(system, name) for system, found in of_lists.items() for name in found]
    samples = bootstrap.means({(one, name): of_lists[one][name] for one, name in names})
    systems: dict[str, dict[str, Figure]] = {system: {} for system in of_lists}
    for system, name in names:
        low, high = interval(samples[system, name])
        value = float(of_lists[system][name].mean())
        systems[system][name] = {"value": value, "low": low, "high": high}
    pairs = {}
    for one, other in combinations(of_lists, 2):
        pairs[f"{one} vs {other}"] = {
            name: _difference(
                systems[other][name]["value"],
                samples[other, name],
                systems[one][name]["value"],
                samples[one, name],
            )
            for name in COMPARED
            if name in of_lists[one] and name in of_lists[other]
        }
    return systems, pairs


def plan(
    of_lists: Mapping[str, Mapping[str, Floats]], users: npt.ArrayLike, delta: float
) -> dict[str, dict[str, float]]:
    """Of every two systems the smallest difference in NDCG@10 that these lists show, and the
    lists that a difference of `delta` takes; at level 95 % and with 80 % power.

    Two systems without any difference have no entry, and so has a single user.
    """
    found = {}
    for one, other in combinations(of_lists, 2):
        differences = of_lists[one][MAIN] - of_lists[other][MAIN]
        try:
            smallest = detectable(differences, users)
            needed = groups_needed(differences, users, delta)
        except ValueError:
            continue
        found[f"{one} vs {other}"] = {"detectable": smallest, "num_lists_needed": needed}
    return found


def _difference(of_other: float, other: Floats, of_one: float, one: Floats) -> Figure:
    found = paired(of_other, other, of_one, one)
    return {"value": found.delta, "low": found.low, "high": found.high, "p": found.p}


def _gains(num_candidates: int, k: int) -> Floats:
    """What each position of the target gains, shape (candidates,)."""
    positions = np.arange(1, num_candidates + 1)
    gains: Floats = np.where(positions <= k, 1 / np.log2(positions + 1), 0.0)
    return gains
