"""The entries of the smallest draws out of many, in flat memory and whatever order they come in."""

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Smallest(Generic[T]):
    """Holds `limit` entries at most, those whose draw is smallest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # The largest draw on top, as a negative number.
        self._heap: list[tuple[int, T]] = []

    def takes(self, draw: int) -> bool:
        """Whether an entry of this draw would be held now."""
        return self._limit > 0 and (len(self._heap) < self._limit or -draw > self._heap[0][0])

    def add(self, draw: int, entry: T) -> None:
        """Offer an entry; among equal draws the entries themselves decide."""
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, (-draw, entry))
        elif self._heap:
            heapq.heappushpop(self._heap, (-draw, entry))

    def entries(self) -> list[tuple[int, T]]:
        """Each draw and its entry, the smallest draw first."""
        return [(-place, entry) for place, entry in sorted(self._heap, key=lambda one: -one[0])]
