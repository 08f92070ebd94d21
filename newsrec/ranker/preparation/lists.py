"""Lists to rank: what a user bought before, what next, and what else there was to buy."""

import hashlib
import struct
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

import numpy as np

from newsrec.errors import UserError
from newsrec.ranker.preparation.ratings import Ratings
from newsrec.ranker.tables import SPLITS

# Of the lists, in the order of their time; the rest is the test.
SHARES = (0.8, 0.1)
# From these moments on, in ms, the data set's own benchmark validates and tests
# (https://amazon-reviews-2023.github.io/data_processing/5core.html, absolute timestamps).
BENCHMARK_CUTS = (1628643414042, 1658002729837)


@dataclass(frozen=True)
class Targets:
    """The purchases that become lists, by split, and where each one's history is.

    Attributes:
        rows: of each split, places in the ratings, in the order of time.
        first: of every rating, the place of its user's first one, shape (ratings,).
        before: of every rating, the place behind the last that is earlier, shape (ratings,).
        cuts: when validation and test begin, in ms.
        counts: what became of the ratings.
    """

    rows: dict[str, np.ndarray]
    first: np.ndarray
    before: np.ndarray
    cuts: tuple[int, int]
    counts: dict[str, int]


def choose_targets(
    ratings: Ratings, split: str, max_lists: Mapping[str, int | None], seed: int
) -> Targets:
    """Which purchases become lists: those with an earlier one of their user.

    Purchases at one moment are in no order: none of them is in the history of another.

    Args:
        ratings: sorted by user, time and item.
        split: `shares` or `benchmark`.
        max_lists: of each split at most; those of the lowest draw, so that a larger number takes
            the same and more.
        seed: of the draws.

    Raises:
        UserError: a split has no list.
    """
    num = len(ratings)
    first = _starts(ratings.user)
    moment = np.zeros(num, bool)  # whether a row is the first of its user and time
    moment[:1] = True
    moment[1:] = (np.diff(ratings.user) != 0) | (np.diff(ratings.timestamp) != 0)
    before = np.maximum.accumulate(np.where(moment, np.arange(num), 0))
    usable = np.flatnonzero(before > first)
    usable = usable[
        np.lexsort((ratings.item[usable], ratings.user[usable], ratings.timestamp[usable]))
    ]
    cuts = _cuts(ratings.timestamp[usable], split)
    bounds = [0, *np.searchsorted(ratings.timestamp[usable], cuts), len(usable)]
    rows = {}
    for name, (start, end) in zip(SPLITS, pairwise(bounds), strict=True):
        if start >= end:
            raise UserError(
                f"{name} has no list of {len(usable):,}: validation begins at {cuts[0]} ms and the "
                f"test at {cuts[1]} ms; set prepare.split, or give more ratings (prepare.start, "
                "prepare.k_core)"
            )
        rows[name] = _drawn(usable[start:end], ratings, max_lists[name], seed)
    counts = {
        "num_ratings": num,
        "num_without_history": num - len(usable),
        "num_at_the_same_moment": int(_shared_moments(moment).sum()),
    }
    return Targets(rows, first, before, cuts, counts)


def _starts(user: np.ndarray) -> np.ndarray:
    """For each row the place of the first one of its user; rows are sorted by user."""
    new = np.ones(len(user), bool)
    new[1:] = np.diff(user) != 0
    return np.maximum.accumulate(np.where(new, np.arange(len(user)), 0))


def _shared_moments(moment: np.ndarray) -> np.ndarray:
    """Whether each row shares its user and time with another."""
    shared: np.ndarray = ~moment
    shared[:-1] |= ~moment[1:]
    return shared


def _cuts(timestamps: np.ndarray, split: str) -> tuple[int, int]:
    if split == "benchmark":
        return BENCHMARK_CUTS
    num = len(timestamps)
    if not num:
        raise UserError(
            "no purchase has an earlier one of its user; expected users with two or more; lower "
            "prepare.k_core, or give more ratings"
        )
    places = (int(SHARES[0] * num), int(sum(SHARES) * num))
    return int(timestamps[places[0]]), int(timestamps[places[1]])


def _drawn(rows: np.ndarray, ratings: Ratings, limit: int | None, seed: int) -> np.ndarray:
    if limit is None or limit >= len(rows):
        return rows
    draws = [next(_numbers(f"lists:{seed}:{key_of(ratings, row)}")) for row in rows]
    lowest = np.argsort(np.array(draws, np.uint64), kind="stable")[:limit]
    return rows[np.sort(lowest)]


def key_of(ratings: Ratings, row: int) -> str:
    """User, item and time of a purchase: what is drawn for it is a hash of that."""
    user, item = ratings.users[ratings.user[row]], ratings.items[ratings.item[row]]
    return f"{user}:{item}:{ratings.timestamp[row]}"


def draw_candidates(
    key: str, target: int, bought: Container[int], num_items: int, num: int
) -> list[int]:
    """The target and `num` - 1 other items, all different, in a drawn order.

    Args:
        key: of which the draw is a hash.
        target: an item, from 0.
        bought: items that are no candidate; the target may be among them.
        num_items: to draw from: 0 to `num_items` - 1; at least `num` - 1 must be free.
        num: of candidates.
    """
    numbers = _numbers(key)
    place = next(numbers) % num
    others: list[int] = []
    taken = {target}
    while len(others) < num - 1:
        item = next(numbers) % num_items
        if item not in taken and item not in bought:
            taken.add(item)
            others.append(item)
    return [*others[:place], target, *others[place:]]


def _numbers(key: str) -> Iterator[int]:
    """Endless numbers below 2^64, which `key` determines on every machine."""
    for block in count():
        yield from struct.unpack(">8Q", hashlib.blake2b(f"{block}:{key}".encode()).digest())


class Bought:
    """The items that each user ever bought, in the period or not."""

    def __init__(self, ratings: Ratings, places: np.ndarray) -> None:
        """
        Args:
            ratings: all, sorted by user and item.
            places: of each item of `ratings.items`, its place among those to draw from; -1: none.
        """
        drawn = places[ratings.item]
        rows = drawn >= 0
        rows[1:] &= (np.diff(ratings.user) != 0) | (np.diff(ratings.item) != 0)  # each once
        self._items = drawn[rows]
        self._bounds = np.searchsorted(ratings.user[rows], np.arange(len(ratings.users) + 1))

    def of(self, user: int) -> set[int]:
        """Those of a user, by place."""
        return set(self._items[self._bounds[user] : self._bounds[user + 1]].tolist())

    def most(self) -> int:
        """The largest number of items of a user."""
        return int(np.diff(self._bounds).max(initial=0))


def make_lists(
    ratings: Ratings,
    targets: Targets,
    split: str,
    bought: Bought,
    catalogue: Sequence[str],
    places: np.ndarray,
    *,
    window: int,
    num_candidates: int,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of `LISTS_SCHEMA` of a split.

    Args:
        ratings: as `choose_targets` had them.
        targets: of `choose_targets`.
        split: its name.
        bought: by user, places in `catalogue`.
        catalogue: ids of the items to draw from.
        places: of each item of `ratings.items`, its place in `catalogue`.
        window: items of a history at most, the last ones.
        num_candidates: of a list.
        seed: of the candidates.
    """
    for row in targets.rows[split].tolist():
        user, key = int(ratings.user[row]), key_of(ratings, row)
        end = int(targets.before[row])
        history = range(max(int(targets.first[row]), end - window), end)
        drawn = draw_candidates(
            f"candidates:{seed}:{key}",
            int(places[ratings.item[row]]),
            bought.of(user),
            len(catalogue),
            num_candidates,
        )
        yield {
            "id": hashlib.blake2b(key.encode(), digest_size=8).hexdigest(),
            "user": ratings.users[user],
            "timestamp": int(ratings.timestamp[row]),
            "history": [
                {
                    "item": ratings.items[ratings.item[place]],
                    "rating": float(ratings.rating[place]),
                    "timestamp": int(ratings.timestamp[place]),
                }
                for place in history
            ],
            "target": ratings.items[ratings.item[row]],
            "candidates": [catalogue[item] for item in drawn],
        }
