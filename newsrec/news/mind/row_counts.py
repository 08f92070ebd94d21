"""How many rows were read, kept, and left out, by reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from newsrec.news.mind.blocks import Block
from newsrec.news.mind.store import ImpressionStore


@dataclass
class RowCounts:
    """The running counts of one split; its size does not grow with the number of impressions."""

    num_impressions_read: int = 0
    num_candidates_read: int = 0
    num_clicks_read: int = 0
    num_candidates_without_news: int = 0  # not in news.tsv, or with a blank title there
    num_candidates_with_blank_title: int = 0
    num_candidates_repeated: int = 0
    num_history_ids_without_news: int = 0
    num_impressions_without_target: int = 0
    num_impressions_kept: int = 0
    num_samples: int = 0
    num_positives: int = 0
    num_scored: int = 0
    num_scored_positives: int = 0
    history_lengths: Counter[int] = field(default_factory=Counter)
    news_codes: set[int] = field(default_factory=set)

    def count_read(
        self, block: Block, num_titled: int, num_news: int, num_targets: np.ndarray
    ) -> None:
        """Count impressions as they were read.

        Args:
            block: of the impressions.
            num_titled: codes below it are news that have a title.
            num_news: codes below it are news that have a row in news.tsv.
            num_targets: of each impression.
        """
        history, candidates = block.history, block.candidates
        self.num_impressions_read += len(block)
        self.num_candidates_read += len(candidates.codes)
        self.num_clicks_read += int((block.labels == 1).sum())
        self.num_candidates_without_news += int((candidates.codes >= num_titled).sum())
        self.num_candidates_with_blank_title += int(
            ((candidates.codes >= num_titled) & (candidates.codes < num_news)).sum()
        )
        in_row = np.sort(candidates.rows << 32 | candidates.codes)
        self.num_candidates_repeated += int((in_row[1:] == in_row[:-1]).sum())
        self.num_history_ids_without_news += int((history.codes >= num_titled).sum())
        self.num_impressions_without_target += int((num_targets == 0).sum())
        for length, count in enumerate(np.bincount(history.lengths).tolist()):
            if count:
                self.history_lengths[length] += count
        for codes in (history.codes, candidates.codes):
            self.news_codes.update(np.flatnonzero(np.bincount(codes)).tolist())

    def count_sample(self, purpose: str, label: int) -> None:
        """Count one training sample (`sample`) or candidate to score (`score`) written."""
        if purpose == "sample":
            self.num_samples += 1
            self.num_positives += label
        else:
            self.num_scored += 1
            self.num_scored_positives += label

    def as_json(self) -> dict[str, Any]:
        """The counts under stable keys; the parts of a sum add up to it."""
        over_limit = (
            self.num_impressions_read
            - self.num_impressions_without_target
            - self.num_impressions_kept
        )
        return {
            "num_impressions_read": self.num_impressions_read,
            "num_impressions_kept": self.num_impressions_kept,
            "num_impressions_dropped": {
                "without_target": self.num_impressions_without_target,
                "over_limit": over_limit,
            },
            "num_candidates_read": self.num_candidates_read,
            "num_clicks_read": self.num_clicks_read,
            "num_candidates_without_news": self.num_candidates_without_news,
            "num_history_ids_without_news": self.num_history_ids_without_news,
            **_if_any("num_candidates_with_blank_title", self.num_candidates_with_blank_title),
            **_if_any("num_candidates_repeated", self.num_candidates_repeated),
            "num_samples": self.num_samples,
            "num_positives": self.num_positives,
            "num_scored": self.num_scored,
            "num_scored_positives": self.num_scored_positives,
            "num_news": len(self.news_codes),
            "history_length": self._history_length(),
        }

    def _history_length(self) -> dict[str, float]:
        total = sum(length * count for length, count in self.history_lengths.items())
        median, seen = 0, 0
        for length, count in sorted(self.history_lengths.items()):
            median, seen = length, seen + count
            if 2 * seen >= self.num_impressions_read:
                break
        return {
            "num_empty": self.history_lengths[0],
            "mean": total / self.num_impressions_read,
            "median": median,
            "max": max(self.history_lengths),
        }


def row_counts_as_json(splits: Mapping[str, RowCounts], store: ImpressionStore) -> dict[str, Any]:
    """The counts of all splits, and the users, news and impressions that each two share."""
    result: dict[str, Any] = {
        split: counts.as_json()
        | {"num_users": store.num_users(split)}
        | _if_any("num_impressions_repeated", store.num_repeated(split))
        for split, counts in splits.items()
    }
    result["shared"] = {
        f"{first}_{second}": {
            "num_users": store.num_users(first, second),
            "num_news": len(splits[first].news_codes & splits[second].news_codes),
            **_if_any("num_impressions", store.num_shared(first, second)),
        }
        for first, second in combinations(splits, 2)
    }
    return result


def row_warnings(row_counts: Mapping[str, Any]) -> list[str]:
    """What `row_counts_as_json` counted that good data does not have."""
    unusual = {
        "num_candidates_with_blank_title": "candidates with a blank title, which are left out",
        "num_candidates_repeated": "candidates that their impression shows before",
        "num_impressions_repeated": "impressions of the user, time and candidates of one before",
    }
    found = [
        f"{split}: {what}: {row_counts[split][key]:,}"
        for split in row_counts
        for key, what in unusual.items()
        if key in row_counts[split]
    ]
    return found + [
        f"impressions that are in both {pair.replace('_', ' and ')}, so that the one was seen "
        f"before the other: {shared['num_impressions']:,}"
        for pair, shared in row_counts["shared"].items()
        if "num_impressions" in shared
    ]


def _if_any(key: str, number: int) -> dict[str, int]:
    """What is not to be found in good data has a key only where it was."""
    return {key: number} if number else {}
