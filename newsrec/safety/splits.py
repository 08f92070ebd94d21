"""Train, validation and test drawn together.

Drawn independently from one collection, a tenth to two thirds of the validation rows are in train
too. Here near copies make one cluster, and a cluster lies in one split.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np

from newsrec.errors import UserError

Quotas = Mapping[str, Mapping[str, int]]  # rows by split and label


def fill_quotas(
    labels: Sequence[str], clusters: Sequence[int], quotas: Quotas, seed: int
) -> list[str | None]:
    """The split of each row; None for a row that no quota has room for.

    Clusters come in an order given by the seed, but first those that not every split could take.
    Each goes to one of the splits that have room for all of it, drawn by the room that they have
    left; where none has, to the one that takes most of it, and the rest of it is left out.

    Args:
        labels: of the rows.
        clusters: of the rows, see `newsrec.texts.near_copies`.
        quotas: how many rows of each label each split gets, at most.
        seed: of the order and the draws.
    """
    left = {split: Counter(quota) for split, quota in quotas.items()}
    found: list[str | None] = [None] * len(labels)
    order = []
    for rows in _members(clusters).values():
        needed = Counter(labels[row] for row in rows)
        fits_all = all(needed <= room for room in left.values())
        order.append((fits_all, _draw(seed, rows[0]), needed, rows))
    for _, draw, needed, rows in sorted(order, key=itemgetter(0, 1)):
        taken = {split: (needed & room).total() for split, room in left.items()}
        most = max(taken.values())
        if most == 0:
            continue
        best = [split for split, number in taken.items() if number == most]
        rooms = [sum(left[split][label] for label in needed) for split in best]
        # The low half of the draw, which the order hardly depends on.
        point = (draw & 0xFFFFFFFF) / 2**32 * sum(rooms)
        split = best[int(np.searchsorted(np.cumsum(rooms), point, side="right"))]
        for row in rows:
            if left[split][labels[row]] > 0:
                left[split][labels[row]] -= 1
                found[row] = split
    return found


def _members(clusters: Sequence[int]) -> dict[int, list[int]]:
    """The rows of each cluster."""
    members: dict[int, list[int]] = {}
    for row, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(row)
    return members


def _draw(seed: int, row: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{row}".encode(), digest_size=8).digest())


def short_quotas(
    labels: Sequence[str], splits: Sequence[str | None], quotas: Quotas
) -> dict[tuple[str, str], int]:
    """How many rows a split has of a label, where it is fewer than its quota."""
    counts = Counter(zip(splits, labels, strict=True))
    return {
        (split, label): counts[split, label]
        for split, quota in quotas.items()
        for label, number in quota.items()
        if counts[split, label] < number
    }


def require_quotas(
    short: Mapping[tuple[str, str], int], quotas: Quotas, seen: Mapping[str, int], where: str
) -> None:
    """Refuse quotas that were not met.

    Args:
        short: see `short_quotas`.
        quotas: as they were given.
        seen: usable rows of the source, by label.
        where: the source, for the error.

    Raises:
        UserError: there is one; the message gives the number of rows of each label.
    """
    if not short:
        return
    parts = []
    for label in dict.fromkeys(label for _, label in short):
        missed = ", ".join(
            f"{split} {number:,} of {quotas[split][label]:,}"
            for (split, one), number in short.items()
            if one == label
        )
        parts.append(f"{label}: {seen.get(label, 0):,} rows there, {missed}")
    raise UserError(
        f"{where}: quotas not met: {'; '.join(parts)}; expected rows for all of them; lower "
        "extract.quotas, or set extract.allow_fewer to true"
    )
