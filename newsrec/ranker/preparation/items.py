"""Which items are kept, by the published rules, and their text without what a web page needs."""

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from newsrec.chat.text import plain_text
from newsrec.ranker.lists import cut_words
from newsrec.ranker.reviews.files import Metadata

_SPAN = "<span id"  # of titles that hold the site's own markup
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
MAX_DESCRIPTION_WORDS = 400  # kept; prompts show fewer

# What an item is dropped for: the first that holds.
REASONS = ("without_title", "with_span", "long_title", "short_title", "without_price")


@dataclass(frozen=True)
class ItemRules:
    """The rules that items are kept by.

    Attributes:
        max_title_words: of the clean title, between spaces.
        min_title_chars: of the clean title.
        require_price: whether an item without a price that is a number is dropped.
    """

    max_title_words: int
    min_title_chars: int
    require_price: bool

    def reason_against(self, row: Metadata, title: str) -> str | None:
        """Why an item is dropped, one of `REASONS`; None if it is kept.

        Args:
            row: of the item.
            title: its title, clean.
        """
        broken = (
            not title,
            _SPAN in (row.title or ""),
            len(title.split(" ")) > self.max_title_words,
            len(title) < self.min_title_chars,
            self.require_price and row.price is None,
        )
        return next((name for name, wrong in zip(REASONS, broken, strict=True) if wrong), None)


def clean_text(text: str) -> str:
    """One line of text: no tags, characters for entities, and see `plain_text`."""
    return plain_text(html.unescape(_TAG.sub(" ", text)))


def choose_items(
    rows: Iterable[Metadata], rated: Mapping[str, object], rules: ItemRules
) -> tuple[dict[str, dict[str, Any]], set[str], dict[str, int]]:
    """Apply the rules to all rows of metadata; what nobody rated is counted, and not kept.

    Args:
        rows: of the file; of several of one item the first counts.
        rated: the ids of the items that were rated.
        rules: see there.

    Returns:
        Rows of `ITEMS_SCHEMA` by id; the ids of rated items that a rule dropped; and counts: of
        rows, of repeated ones, of each of `REASONS`, of items without a price, whether kept or not,
        and of those that no rule drops and nobody rated.
    """
    counts = dict.fromkeys(
        (
            *("num_rows", "num_repeated_rows", "num_prices_missing"),
            *(f"num_{reason}" for reason in REASONS),
            "num_unrated",
        ),
        0,
    )
    kept: dict[str, dict[str, Any]] = {}
    dropped: set[str] = set()
    seen: set[str] = set()
    for row in rows:
        counts["num_rows"] += 1
        if row.item in seen:
            counts["num_repeated_rows"] += 1
            continue
        seen.add(row.item)
        counts["num_prices_missing"] += row.price is None
        title = clean_text(row.title or "")
        if reason := rules.reason_against(row, title):
            counts[f"num_{reason}"] += 1
            if row.item in rated:
                dropped.add(row.item)
        elif row.item not in rated:
            counts["num_unrated"] += 1
        else:
            kept[row.item] = {
                "item": row.item,
                "title": title,
                "category": clean_text(row.category),
                "description": cut_words(clean_text(row.description), MAX_DESCRIPTION_WORDS),
                "price": row.price,
                "average_rating": row.average_rating,
                "rating_number": row.rating_number,
            }
    return kept, dropped, counts
