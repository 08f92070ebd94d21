"""What the model is asked of a user and a candidate: a part that all candidates of a list share,
one of the candidate's own, and the question. Each but the last ends with a line end."""

from collections.abc import Sequence

YES, NO = "Yes", "No"

_BEFORE = "A person bought these products, the latest last, and rated them from 1 to 5:\n"
_NONE = "- nothing yet\n"
CANDIDATE_HEAD = "A product:\n"
QUESTION = f"Will this person buy it next? Answer {YES} or {NO}."

_UNITS = ((365, "year"), (30, "month"), (1, "day"))
_DAY = 24 * 3600 * 1000  # in ms


def history_part(titles: Sequence[str], ratings: Sequence[float], ages: Sequence[int]) -> str:
    """The part that all candidates of a list share.

    Args:
        titles: of the products bought, oldest first, control tokens made plain.
        ratings: of each, 1 to 5.
        ages: how long before the moment of the list each was bought, in ms.
    """
    lines = [
        f"- {age_in_words(age)}: {title} ({rating:g})\n"
        for title, rating, age in zip(titles, ratings, ages, strict=True)
    ]
    return _BEFORE + ("".join(lines) or _NONE)


def candidate_part(title: str, facts: Sequence[str]) -> str:
    """The part of one candidate: its title, and a line for each fact."""
    return f"{CANDIDATE_HEAD}- {title}\n" + "".join(f"- {fact}\n" for fact in facts)


def user_message(history: str, candidate: str) -> str:
    """The whole message of one prompt."""
    return f"{history}{candidate}{QUESTION}"


def age_in_words(age: int) -> str:
    """`today`, or like `3 months ago`.

    Args:
        age: in ms.
    """
    days = age // _DAY
    for length, name in _UNITS:
        if (number := days // length) > 0:
            return f"{number} {name}{'s' * (number > 1)} ago"
    return "today"
