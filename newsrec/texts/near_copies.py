"""Texts that are nearly the same, found by MinHash and verified.

Two texts are near copies if the Jaccard similarity of their sets of character pairs reaches a
threshold, case, width, punctuation and spaces aside; a chain of near copies is one cluster.
Sources: Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and
Ullman, Mining of Massive Datasets, section 3.4 (bands).
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from datasketch import MinHash
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

_NUM_HASHES = 128
# Two texts just at the threshold share no band, and are missed, at most this often.
_MAX_MISSED = 1e-3
# How far below the threshold an estimate from the hashes may be that is worth verifying: five
# standard errors.
_MARGIN = 0.2
_NO_WORD = re.compile(r"[\W_]+")

_Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
_Hashes = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]


def cluster_near_copies(texts: Sequence[str], threshold: float, seed: int) -> _Integers:
    """The cluster of each text, numbered from 0 by its first text.

    Args:
        texts: of any length.
        threshold: similarity from which two are near copies; 1 finds only those that differ in
            case, width, punctuation, spaces and the order of sentences that repeat.
        seed: of the hashes. Another one misses other near copies, as many.
    """
    bare = [_bare(text) for text in texts]
    places: dict[str, int] = {}
    unique = np.array([places.setdefault(text, len(places)) for text in bare], dtype=np.int64)
    distinct = list(places)
    hashes = _minhash(distinct, seed)
    clusters: _Integers = np.arange(len(distinct), dtype=np.int64)
    num_rows = _rows_of_a_band(threshold)
    found: list[tuple[int, int]] = []
    for first in range(0, _NUM_HASHES - num_rows + 1, num_rows):
        for bucket in _buckets(hashes[:, first : first + num_rows]):
            found += _verified(bucket, clusters[bucket], distinct, hashes, threshold)
        clusters = _components(found, len(distinct))
    # Numbered by the first text of each, whatever the order in which they were found.
    _, firsts, inverse = np.unique(clusters[unique], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(firsts))[inverse].astype(np.int64)


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of the sets of character pairs of two texts, from 0 to 1."""
    return _jaccard(_bare(one), _bare(other))


def _bare(text: str) -> str:
    """What a text says; the whole text where it has no letter or digit."""
    return _NO_WORD.sub("", unicodedata.normalize("NFKC", text).casefold()) or text


@lru_cache(maxsize=4096)
def _pairs(bare: str) -> frozenset[str]:
    """The character pairs of a text, as shingles; Chinese words have about two characters."""
    return frozenset(map("".join, pairwise(bare))) or frozenset([bare])


def _jaccard(one: str, other: str) -> float:
    ours, theirs = _pairs(one), _pairs(other)
    shared = len(ours & theirs)
    return shared / (len(ours) + len(theirs) - shared)


def _minhash(texts: Sequence[str], seed: int) -> _Hashes:
    hashes = np.empty((len(texts), _NUM_HASHES), np.uint32)
    made = MinHash.generator(
        (
            _pair_numbers(text)
            for text in tqdm(texts, desc="near copies", unit=" texts", disable=None)
        ),
        num_perm=_NUM_HASHES,
        seed=seed,
        hashfunc=lambda number: number,
    )
    for place, one in enumerate(made):
        hashes[place] = one.hashvalues
    return hashes


def _pair_numbers(bare: str) -> list[int]:
    """A 32-bit number for each character pair; datasketch mixes their bits itself.

    All at once: to hash each pair in Python took four times as long as all else.
    """
    codes = np.frombuffer(bare.encode("utf-32-le", errors="surrogatepass"), np.uint32)
    pairs = codes[:-1] * np.uint32(0x9E3779B1) + codes[1:] * np.uint32(0x85EBCA6B)
    numbers: list[int] = (pairs if len(pairs) else codes).tolist()
    return numbers


def _rows_of_a_band(threshold: float) -> int:
    """As many as keep the misses rare: the more, the fewer pairs are verified in vain."""
    enough = [
        rows
        for rows in range(1, 17)
        if (1 - threshold**rows) ** (_NUM_HASHES // rows) <= _MAX_MISSED
    ]
    return max(enough, default=1)


def _buckets(band: _Hashes) -> Iterator[_Integers]:
    """The texts that share all of a band, where there are several.

    Not datasketch's MinHashLSH, whose sets take 750 MB and 11 s for 50,000 texts; a band at a time
    takes next to nothing.
    """
    keys = np.zeros(len(band), np.uint64)
    for column in band.T:  # of different rows seldom the same, and buckets are verified
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    order = np.argsort(keys, kind="stable")
    bounds = np.flatnonzero(
        np.diff(keys[order], prepend=~keys[order[:1]], append=~keys[order[-1:]])
    )
    for start, end in pairwise(bounds):
        if end - start > 1:
            yield order[start:end]


def _verified(
    bucket: _Integers,
    clusters: _Integers,
    texts: Sequence[str],
    hashes: _Hashes,
    threshold: float,
) -> Iterator[tuple[int, int]]:
    """Pairs of near copies that join all of a bucket that belongs together.

    Args:
        bucket: places of its texts.
        clusters: of those texts, so far.
        texts: all of them.
        hashes: of all of them.
        threshold: see `cluster_near_copies`.
    """
    while len(bucket) > 1:
        apart = clusters != clusters[0]
        if not apart.any():
            bucket, clusters = bucket[1:], clusters[1:]
            if not (clusters != clusters[:1]).any():
                return
            continue
        likely = (hashes[bucket] == hashes[bucket[0]]).mean(axis=1) >= threshold - _MARGIN
        for place in np.flatnonzero(apart & likely):
            joined = clusters[place] != clusters[0]
            if joined and _jaccard(texts[bucket[0]], texts[bucket[place]]) >= threshold:
                yield int(bucket[0]), int(bucket[place])
                clusters = np.where(clusters == clusters[place], clusters[0], clusters)
        bucket, clusters = bucket[1:], clusters[1:]


def _components(pairs: list[tuple[int, int]], num: int) -> _Integers:
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(ends.shape[1], bool), (ends[0], ends[1])), shape=(num, num))
    labels: _Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels
