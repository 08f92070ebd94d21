"""What a teacher's text says, and which of its answers a model is trained on."""

import re
from collections.abc import Sequence

from newsrec.engines.api_texts import Written

THOUGHTS = re.compile(r".*</think>", re.DOTALL)
_ANSWER = re.compile(r"<answer>\s*(yes|no)\s*</answer>", re.IGNORECASE)

RIGHT, WRONG, UNPARSED, TRUNCATED, FILTERED = (
    "right",
    "wrong",
    "unparsed",
    "truncated",
    "filtered",
)


def said_yes(text: str) -> bool | None:
    """What the text answers; None where it has no `<answer>`, or two that differ.

    What is before the end of thoughts in the text is no answer.
    """
    said = {found.lower() for found in _ANSWER.findall(THOUGHTS.sub("", text))}
    return said == {"yes"} if len(said) == 1 else None


def outcome(written: Written, bought: bool) -> str:
    """Whether an answer is kept, `RIGHT`, or why not.

    Args:
        written: by the teacher.
        bought: the right answer.
    """
    if written.text is None:
        return FILTERED
    if written.truncated:
        return TRUNCATED
    answer = said_yes(written.text)
    if answer is None:
        return UNPARSED
    return RIGHT if answer == bought else WRONG


def counted(outcomes: Sequence[str]) -> dict[str, int]:
    """How many of each, under `num_<outcome>`."""
    names = (RIGHT, WRONG, UNPARSED, TRUNCATED, FILTERED)
    return {f"num_{name}": outcomes.count(name) for name in names}
