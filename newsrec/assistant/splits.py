"""Train, validation and test: near copies lie in one of them, whichever task they belong to."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from newsrec.assistant.rows import Row
from newsrec.texts.near_copies import cluster_near_copies


@dataclass(frozen=True)
class Splits:
    """Of each row its split, None for one that is left out, and its cluster of near copies."""

    splits: tuple[str | None, ...]
    clusters: tuple[int, ...]


def split_rows(
    rows: Sequence[Row], *, threshold: float, val_share: float, test_share: float, seed: int
) -> Splits:
    """Split rows by clusters of near copies over the inputs of all tasks.

    A cluster with a row that is assigned to a split goes there. If its rows are assigned to
    several, it goes to test before validation before train, and rows assigned to another one are
    left out: a model must not be trained on a near copy of what it is tested on.

    The other clusters come in an order that their text and the seed give, so that a row more hardly
    moves the others. Each goes to test while that has room for all of it, then to validation, and
    else to train. A task has room for its share of the rows that are named for none, but for
    one row at least.

    Args:
        rows: of all tasks.
        threshold: see `cluster_near_copies`.
        val_share: of the rows that are named for no split.
        test_share: the same.
        seed: of the order and of the hashes that find near copies.
    """
    clusters = cluster_near_copies([row.input for row in rows], threshold, seed).tolist()
    members: dict[int, list[int]] = {}
    for place, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(place)
    splits: list[str | None] = [row.split for row in rows]
    free = []
    for places in members.values():
        named = {splits[place] for place in places} - {None}
        if not named:
            free.append(places)
            continue
        split: str = next(name for name in ("test", "val", "train") if name in named)
        for place in places:
            splits[place] = split if splits[place] in (None, split) else None
    num_free = Counter(rows[place].task for places in free for place in places)
    rooms = {
        split: Counter({task: max(1, round(share * num)) for task, num in num_free.items()})
        for split, share in (("test", test_share), ("val", val_share))
    }
    for places in sorted(free, key=lambda places: _draw(seed, rows, places)):
        needed = Counter(rows[place].task for place in places)
        split = next((name for name, room in rooms.items() if needed <= room), "train")
        if split in rooms:
            rooms[split] -= needed
        for place in places:
            splits[place] = split
    return Splits(tuple(splits), tuple(clusters))


def _draw(seed: int, rows: Sequence[Row], places: Sequence[int]) -> bytes:
    """A number of a cluster that looks random: of its least text, keyed by the seed."""
    text = min(rows[place].input for place in places)
    return hashlib.blake2b(text.encode(), key=str(seed).encode(), digest_size=8).digest()
