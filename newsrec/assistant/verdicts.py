"""The table of a judge's replies, and the verdict that each reply expresses.

Kept apart from `judge`, which asks for the replies: reading them differently asks for none again.
"""

import re
import unicodedata

import pyarrow as pa

from newsrec.models.names import MODELS

LETTERS = {"A": 0, "B": 1, "C": None}  # the closer answer, or neither

# One row per pair: the judge's reply with the base model's answer first, and with the tuned one's
# first; null if there was no reply, or if the judge was not asked as both answers are the same.
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
    """The system that a reply prefers, `tie`, or None if the reply is neither.

    Args:
        reply: of the judge.
        first: index in `MODELS` of the model whose answer was shown first.
    """
    text = unicodedata.normalize("NFKC", reply or "").upper()
    letter = re.fullmatch(r"[\W_]*([ABC])[\W_]*", text)
    if letter is None:
        return None
    place = LETTERS[letter[1]]
    return "tie" if place is None else MODELS[first if place == 0 else 1 - first]
