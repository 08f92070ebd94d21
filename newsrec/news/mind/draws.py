"""The order in which impressions are drawn, the same on every run."""

import hashlib
from collections.abc import Sequence

import numpy as np


def draw_of(seed: int, split: str, impression_id: str) -> int:
    """A number that is uniform over impressions and the same for one of them on every run."""
    return int(draws_of(seed, split, [impression_id])[0])


def draws_of(seed: int, split: str, impression_ids: Sequence[str]) -> np.ndarray:
    """The draw of each impression, int64 and not negative."""
    prefix, blake2b = f"{seed}:{split}:", hashlib.blake2b
    digests = [blake2b(f"{prefix}{id_}".encode(), digest_size=8).digest() for id_ in impression_ids]
    return (np.frombuffer(b"".join(digests), ">u8") >> np.uint64(1)).astype(np.int64)
