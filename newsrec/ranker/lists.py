"""Lists to rank as the parts of prompts, see `newsrec.ranker.prompts`."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.chat.text import plain_text
from newsrec.errors import UserError
from newsrec.ranker.params import Prompt
from newsrec.ranker.prompts import candidate_part, history_part

# Of a word on average: text without spaces (Japanese, or an address) is one word however long.
_CHARS_PER_WORD = 12
_BATCH_ROWS = 1_000

Item = Mapping[str, Any]  # a row of `ITEMS_SCHEMA`
Row = Mapping[str, Any]  # one of `LISTS_SCHEMA`


def parts_of(
    lists: Iterable[Row], items: Mapping[str, Item], prompt: Prompt
) -> Iterator[tuple[str, list[str]]]:
    """The history part of each list, and the candidate parts in the order of its candidates.

    Args:
        lists: rows of `LISTS_SCHEMA`, as `read_lists` yields them.
        items: of `read_items`, by id: all that the lists name.
        prompt: what is shown of a candidate.
    """
    titles: dict[str, str] = {}  # items recur in many lists
    parts: dict[str, str] = {}

    def title(item: str) -> str:
        if item not in titles:
            titles[item] = cut_words(plain_text(items[item]["title"]), prompt.max_title_words)
        return titles[item]

    for row in lists:
        history, candidates = row["history"], row["candidates"]
        for item in candidates:
            if item not in parts:
                parts[item] = candidate_part(title(item), facts_of(items[item], prompt))
        yield (
            history_part(
                [title(event["item"]) for event in history],
                [event["rating"] for event in history],
                [row["timestamp"] - event["timestamp"] for event in history],
            ),
            [parts[item] for item in candidates],
        )


def facts_of(item: Item, prompt: Prompt) -> list[str]:
    """Each of `prompt.facts` that is known of the item, in words."""
    lines = []
    for fact in prompt.facts:
        value = item[fact]
        if fact == "description":
            value = cut_words(plain_text(value or ""), prompt.max_description_words)
        if value in (None, ""):
            continue
        lines.append(
            {
                "description": "Description: {}",
                "price": "Price: {:.2f} dollars",
                "average_rating": "Average rating: {:.1f}",
                "rating_number": "Number of ratings: {}",
            }[fact].format(value)
        )
    return lines


def cut_words(text: str, max_words: int) -> str:
    """The first words of a line of text, as many as that or fewer where words are very long."""
    words = text.split(" ")
    shown = " ".join(words[:max_words])
    if len(shown) <= (limit := max_words * _CHARS_PER_WORD):
        return shown
    whole, _, _ = shown[: limit + 1].rpartition(" ")
    return whole or shown[:limit]


def read_lists(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of `LISTS_SCHEMA`, some in memory at a time.

    Raises:
        UserError: there is no such file, or it is not a complete Parquet file.
    """
    with _opened(path) as table:
        for batch in table.iter_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def read_items(path: Path) -> dict[str, Item]:
    """The rows of a file of `ITEMS_SCHEMA` by their id.

    Raises:
        UserError: there is no such file, or it is not a complete Parquet file.
    """
    with _opened(path) as table:
        return {
            row["item"]: row
            for batch in table.iter_batches(_BATCH_ROWS)
            for row in batch.to_pylist()
        }


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the stage that makes it (dvc repro)") from None
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not a complete Parquet file ({error}); make it again") from None
