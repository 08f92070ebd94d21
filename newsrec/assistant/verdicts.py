"""A judge's replies to pairs of answers, as a table, and the verdict that a reply is.

Apart from `judge`, which asks for them: to read replies in another way asks for none again.
"""

import re
import unicodedata

import pyarrow as pa

from newsrec.models.names import MODELS

LETTERS = {"A": 0, "B": 1, "C": None}  # the answer that is nearer, or neither

# A row for each pair: what the judge replied where the base model's answer came first, and where
# the tuned one's did; null where it gave no answer, and where it was not asked, because both
# answers are the same.
JUDGED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("same", pa.bool_()),
        ("base_first", pa.string()),
        ("tuned_first", pa.string()),
    ]
)


def verdict(reply: str | None, first: int) -> str | None:
    """The system that a reply prefers, `tie`, or None where it says neither.

    Args:
        reply: of the judge.
        first: place in `MODELS` of the one whose answer came first.
    """
    text = unicodedata.normalize("NFKC", reply or "").upper()
    letter = re.fullmatch(r"[\W_]*([ABC])[\W_]*", text)
    if letter is None:
        return None
    place = LETTERS[letter[1]]
    return "tie" if place is None else MODELS[first if place == 0 else 1 - first]
