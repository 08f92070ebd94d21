"""Ratings as arrays, and which of them are left: period, first purchases, K-core."""

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from newsrec.errors import UserError
from newsrec.ranker.reviews.files import Rating

_MONTHS_BACK = 3


@dataclass(frozen=True)
class Ratings:
    """Rows of a file of ratings, sorted by user, item, time and stars.

    Attributes:
        users: ids, sorted.
        items: ids, sorted.
        user: place of each row's user, shape (rows,).
        item: place of each row's item, shape (rows,).
        rating: stars, shape (rows,).
        timestamp: in ms, shape (rows,).
    """

    users: list[str]
    items: list[str]
    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    timestamp: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: np.ndarray) -> "Ratings":
        """These rows, by places or by a mask."""
        return Ratings(
            self.users,
            self.items,
            *(column[rows] for column in (self.user, self.item, self.rating, self.timestamp)),
        )


def load_ratings(rows: Iterable[Rating]) -> Ratings:
    """All rows in 24 bytes each, and each id once; their order in the file plays no part."""
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    user, item, rating, timestamp = array("i"), array("i"), array("d"), array("q")
    for user_id, item_id, num_stars, time in rows:
        user.append(users.setdefault(user_id, len(users)))
        item.append(items.setdefault(item_id, len(items)))
        rating.append(num_stars)
        timestamp.append(time)
    columns = [
        _sorted_places(ids)[np.asarray(codes)] for ids, codes in ((users, user), (items, item))
    ]
    columns += [np.asarray(rating), np.asarray(timestamp)]
    user_places, item_places, stars, times = columns
    order = np.lexsort((stars, times, item_places, user_places))
    return Ratings(sorted(users), sorted(items), *(column[order] for column in columns))


def _sorted_places(ids: dict[str, int]) -> np.ndarray:
    """For each number given out, the place of its id among the sorted ones."""
    places = np.empty(len(ids), np.int32)
    places[[ids[name] for name in sorted(ids)]] = np.arange(len(ids), dtype=np.int32)
    return places


@dataclass(frozen=True)
class Chosen:
    """Ratings that are left, and what became of the others.

    Attributes:
        ratings: sorted by user, time and item.
        counts: rows that each rule dropped, in the order in which they are applied.
        start: first month of the period as the data allowed it; None: all.
        num_moves: how often the start was moved back.
        num_rounds: of the K-core.
    """

    ratings: Ratings
    counts: dict[str, int]
    start: str | None
    num_moves: int
    num_rounds: int


def choose_ratings(
    ratings: Ratings,
    kept: Collection[str],
    dropped: Collection[str],
    *,
    start: str | None,
    end: str | None,
    k_core: int,
    min_items: int,
) -> Chosen:
    """Apply the rules to ratings, and once more with an earlier start while too few items are left.

    Args:
        ratings: of `load_ratings`.
        kept: ids of the items that the rules for items kept.
        dropped: ids of those that they dropped; any other item has no metadata.
        start: first month, like 2022-10; None: from the first.
        end: last month; None: to the last.
        k_core: users and items with fewer ratings are dropped until none is left; 0: none.
        min_items: with fewer items the start moves back three months; 0: never.

    Raises:
        UserError: nothing is left, or too few items with all ratings up to `end`.
    """
    copies = _copies(ratings)
    fate = {"num_duplicate_rows": copies}
    known = np.array([name in kept for name in ratings.items], bool)[ratings.item]
    of_dropped = np.array([name in dropped for name in ratings.items], bool)[ratings.item]
    left = ~copies
    fate["num_without_metadata"] = left & ~known & ~of_dropped
    fate["num_of_dropped_items"] = left & of_dropped
    counts = {"num_rows": len(ratings)} | {name: int(rows.sum()) for name, rows in fate.items()}
    left &= known
    num_moves = 0
    while True:
        chosen, dropped_here, num_rounds = _choose_period(ratings, left, start, end, k_core)
        num_items = len(np.unique(chosen.item))
        if num_items >= min_items and num_items > 0:
            break
        first = ratings.timestamp[left].min(initial=2**62)
        if num_items >= min_items:
            raise UserError(
                f"no rating is left of {len(ratings):,}; expected some of the {len(kept):,} items "
                "with metadata; lower prepare.k_core, or set prepare.start and prepare.end to "
                "months of the data"
            )
        if start is None or month_start(start) <= first:
            raise UserError(
                f"{num_items:,} items are left with all ratings from the first month on; expected "
                f"{min_items:,} or more; lower prepare.min_items or prepare.k_core, or set a later "
                "prepare.end"
            )
        start, num_moves = shift_month(start, -_MONTHS_BACK), num_moves + 1
    order = np.lexsort((chosen.item, chosen.timestamp, chosen.user))
    counts |= {**dropped_here, "num_kept": len(chosen)}
    return Chosen(chosen.take(order), counts, start, num_moves, num_rounds)


def _copies(ratings: Ratings) -> np.ndarray:
    """Whether each row is the same as the one before."""
    same = np.zeros(len(ratings), bool)
    same[1:] = _same_pair(ratings)
    for column in (ratings.rating, ratings.timestamp):
        same[1:] &= column[1:] == column[:-1]
    return same


def _same_pair(ratings: Ratings) -> np.ndarray:
    """Whether each row but the first is of the user and item of the one before."""
    user, item = ratings.user, ratings.item
    result: np.ndarray = (user[1:] == user[:-1]) & (item[1:] == item[:-1])
    return result


def _choose_period(
    ratings: Ratings, left: np.ndarray, start: str | None, end: str | None, k_core: int
) -> tuple[Ratings, dict[str, int], int]:
    inside = left.copy()
    if start is not None:
        inside &= ratings.timestamp >= month_start(start)
    if end is not None:
        inside &= ratings.timestamp < month_start(shift_month(end, 1))
    period = ratings.take(inside)
    again = np.zeros(len(period), bool)
    again[1:] = _same_pair(period)
    first = period.take(~again)
    core, num_rounds = k_core_rows(first.user, first.item, k_core)
    counts = {
        "num_outside_period": int(left.sum() - inside.sum()),
        "num_bought_again": int(again.sum()),
        "num_below_k_core": int(len(first) - core.sum()),
    }
    return first.take(core), counts, num_rounds


def k_core_rows(user: np.ndarray, item: np.ndarray, k: int) -> tuple[np.ndarray, int]:
    """The rows whose user and item have `k` of these rows or more, in rounds until that is stable.

    Args:
        user: place of each row's user, shape (rows,).
        item: place of each row's item, shape (rows,).
        k: 0 or 1 keep every row.

    Returns:
        A mask of the rows, shape (rows,), and the number of rounds that dropped some.
    """
    rows, num_rounds = np.arange(len(user)), 0
    while len(rows):
        users, items = user[rows], item[rows]
        enough = (np.bincount(users)[users] >= k) & (np.bincount(items)[items] >= k)
        if enough.all():
            break
        rows, num_rounds = rows[enough], num_rounds + 1
    mask = np.zeros(len(user), bool)
    mask[rows] = True
    return mask, num_rounds


def month_start(month: str) -> int:
    """When a month like 2022-10 begins, in ms, UTC."""
    year, number = map(int, month.split("-"))
    return int(datetime(year, number, 1, tzinfo=UTC).timestamp()) * 1000


def shift_month(month: str, by: int) -> str:
    """The month so many later."""
    year, number = map(int, month.split("-"))
    months = 12 * year + number - 1 + by
    return f"{months // 12:04d}-{months % 12 + 1:02d}"
