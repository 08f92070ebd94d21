"""A chat in the form of transformers' `apply_chat_template`: `role` and `content` of each turn."""

from collections.abc import Mapping, Sequence

# Roles are system, user and assistant.
Messages = Sequence[Mapping[str, str]]


def user_turn(text: str) -> Messages:
    """A chat of one user message."""
    return [{"role": "user", "content": text}]
