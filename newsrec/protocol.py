"""What was measured on what, and how: two figures compare only where this is the same."""

from collections.abc import Mapping

from newsrec.errors import UserError

Protocol = dict[str, str]

# What an experiment may change and still be compared: it is what the comparison is about.
TREATMENT = ("model", "revision", "method", "train_seed", "engine")


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The fields in which two protocols differ, those of the treatment aside."""
    fields = [*one, *(name for name in other if name not in one)]
    return [name for name in fields if name not in TREATMENT and one.get(name) != other.get(name)]


def require_same(one: Mapping[str, str], other: Mapping[str, str], names: tuple[str, str]) -> None:
    """Refuse to put figures of two protocols side by side.

    Raises:
        UserError: they differ; each field is named with both values.
    """
    fields = differing(one, other)
    if fields:
        differences = "; ".join(
            f"{name} is {one.get(name, 'not there')!r} in {names[0]} and "
            f"{other.get(name, 'not there')!r} in {names[1]}"
            for name in fields
        )
        raise UserError(
            f"two protocols, whose figures cannot be compared: {differences}; run one of them again"
        )
