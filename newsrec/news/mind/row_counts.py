"""How many rows were read, kept, and left out, by reason."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from newsrec.news.mind.store import ImpressionStore
from newsrec.news.mind.tables import Impression


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
    news_ids: set[str] = field(default_factory=set)

    def count_read(
        self,
        row: Impression,
        known_news: Collection[str],
        blank_news: Collection[str],
        has_target: bool,
    ) -> None:
        """Count one impression as it was read; the news known have a title, the blank have none."""
        self.num_impressions_read += 1
        self.num_candidates_read += len(row.candidates)
        self.num_clicks_read += sum(row.labels or ())
        self.num_candidates_without_news += sum(id_ not in known_news for id_ in row.candidates)
        if blank_news:
            self.num_candidates_with_blank_title += sum(id_ in blank_news for id_ in row.candidates)
        self.num_candidates_repeated += len(row.candidates) - len(set(row.candidates))
        self.num_history_ids_without_news += sum(id_ not in known_news for id_ in row.history)
        self.num_impressions_without_target += not has_target
        self.history_lengths[len(row.history)] += 1
        self.news_ids.update(row.candidates, row.history)

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
            "num_news": len(self.news_ids),
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
            "num_news": len(splits[first].news_ids & splits[second].news_ids),
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
