"""How well systems rank parts of the lists."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from newsrec.metrics.significance import ClusterBootstrap, interval
from newsrec.ranker.evaluation.figures import MAIN
from newsrec.ranker.evaluation.tables import Lists

Floats = npt.NDArray[np.float64]
Slices = dict[str, dict[str, npt.NDArray[np.bool_]]]

_NUM_CATEGORIES = 12
_OTHER = "other categories"
_LENGTHS = ((0, 0, "none"), (1, 3, "1 to 3"), (4, 9, "4 to 9"))
_LONGER = "10 or more"
_SHARES = ("least bought half", "next four tenths", "most bought tenth")


def slices_of(lists: Lists, counts: Mapping[str, int], categories: Mapping[str, str]) -> Slices:
    """heading → slice → which lists are in it, shape (lists,).

    The headings are history (how many products are shown), target (whether somebody bought it in
    the period of training), popularity (of the target among the products bought then) and category
    (of the target; the most frequent ones).

    Args:
        lists: the lists.
        counts: purchases of each product in the period of training.
        categories: of each product.
    """
    targets = list(lists.targets)
    bought = np.array([counts.get(item, 0) for item in targets])
    ends = np.quantile(list(counts.values()) or [0], (0.5, 0.9))
    place = np.searchsorted(ends, bought)
    length = lists.num_history
    of_target = np.array([categories[item] for item in targets], dtype=object)
    most = [name for name, _ in Counter(of_target).most_common(_NUM_CATEGORIES)]
    found: Slices = {
        "history": {
            **{name: (length >= low) & (length <= high) for low, high, name in _LENGTHS},
            _LONGER: length > _LENGTHS[-1][1],
        },
        "target": {"bought in training": bought > 0, "unseen in training": bought == 0},
        "popularity": {name: place == at for at, name in enumerate(_SHARES)},
        "category": {
            **{name: of_target == name for name in most},
            _OTHER: ~np.isin(of_target.astype(str), most),
        },
    }
    return {
        heading: {name: inside for name, inside in parts.items() if inside.any()}
        for heading, parts in found.items()
    }


def measure_slices(
    lists: Lists,
    of_lists: Mapping[str, Mapping[str, Floats]],
    slices: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]],
    bootstrap: ClusterBootstrap,
) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """heading → slice → system → value, low, high of NDCG@10, and num_lists.

    A slice of fewer than two users is left out: it has no interval.

    Args:
        lists: the lists.
        of_lists: by system and figure, shape (lists,) each.
        slices: of `slices_of`.
        bootstrap: over the users of the lists.
    """
    result: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for heading, parts in slices.items():
        result[heading] = {}
        for name, inside in parts.items():
            rows = np.flatnonzero(inside)
            values = {system: found[MAIN][rows] for system, found in of_lists.items()}
            if len(set(lists.users[rows])) < 2:
                continue
            drawn = bootstrap.of(rows).means(values)
            result[heading][name] = {}
            for system, of_system in values.items():
                low, high = interval(drawn[system])
                result[heading][name][system] = {
                    "value": float(of_system.mean()),
                    "low": low,
                    "high": high,
                    "num_lists": len(rows),
                }
    return result
