"""What an engine is asked and what it answers: token ids in, figures and text out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from newsrec.chat.messages import Messages
from newsrec.chat.pieces import TOKEN_IDS

# A log-probability for each answer of the request, in its order; null where the engine has none.
# The text is null where a server gave no answer.
ANSWERS_SCHEMA = pa.schema([("logprobs", pa.list_(pa.float64())), ("text", pa.string())])
# The texts that a prompt may be answered with; none: it is answered with free text.
Choices = Sequence[str]
# A logit for each class, in the order of their ids; null where a text has no tokens.
CLASSES_SCHEMA = pa.schema([("logits", pa.list_(pa.float64()))])


def choice_tokens(choices: Choices) -> int:
    """The most tokens that one of the choices takes: one for each byte, and one that ends it."""
    return 1 + max(len(text.encode()) for text in choices)


class Prompts(Protocol):
    """Prompts in an order, made anew each time that they are walked."""

    def __len__(self) -> int: ...

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """The prompts for engines that load the model: `TOKEN_IDS`, any number of them at once."""

    def messages(self) -> Iterator[Messages]:
        """The chat of each prompt, for servers that take text."""


@dataclass(frozen=True)
class FewPrompts:
    """Prompts that are in memory, either as ids, as chats or as both."""

    ids: Sequence[Sequence[int]] = ()
    chats: Sequence[Messages] = ()

    def __len__(self) -> int:
        return max(len(self.ids), len(self.chats))

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """All at once."""
        yield pa.array(self.ids, type=TOKEN_IDS)

    def messages(self) -> Iterator[Messages]:
        """One after the other."""
        yield from self.chats


@dataclass(frozen=True)
class Request:
    """Prompts to answer, all in the same way but for what each may be answered with.

    Attributes:
        prompts: where they come from.
        answers: first token of each answer whose log-probability is wanted at the first position
            behind the prompt; any number of them, none for free text.
        max_tokens: to write, decoded greedily.
        choices: of each prompt, in their order: one of its texts is written, and whole, however
            many tokens it takes. At each token the most probable is taken of all that continue
            one of the texts, as vLLM's structured outputs do. Empty: every prompt is free.

    Raises:
        ValueError: there are choices, but not of each prompt, or log-probabilities are wanted
            beside them, which engines give before or behind the constraint.
    """

    prompts: Prompts
    answers: tuple[int, ...]
    max_tokens: int
    choices: Sequence[Choices] = ()

    def __post_init__(self) -> None:
        if not self.choices:
            return
        if len(self.choices) != len(self.prompts):
            raise ValueError(f"{len(self.choices)} choices of {len(self.prompts)} prompts")
        if self.answers:
            raise ValueError("choices and answers; expected one of them")
        if any(text == "" for choices in self.choices for text in choices):
            raise ValueError("a choice is empty; expected a text")

    def max_tokens_of(self, choices: Choices) -> int:
        """To write for a prompt with these choices."""
        return choice_tokens(choices) if choices else self.max_tokens

    @property
    def schema(self) -> pa.Schema:
        """Of the answers."""
        return ANSWERS_SCHEMA

    @property
    def identity(self) -> list[object]:
        """What is wanted of every prompt; its choices count with the prompt."""
        return [self.answers, self.max_tokens]


@dataclass(frozen=True)
class ClassRequest:
    """Texts to put into classes, by a model with a head for them.

    Attributes:
        prompts: the texts; only their token ids are asked for.
    """

    prompts: Prompts

    @property
    def schema(self) -> pa.Schema:
        """Of the answers."""
        return CLASSES_SCHEMA

    @property
    def identity(self) -> list[object]:
        """What is wanted of every text."""
        return ["logits"]


def batched(parts: Iterable[pa.LargeListArray], size: int) -> Iterator[pa.LargeListArray]:
    """The same rows in batches of `size`, the last one smaller."""
    held: list[pa.LargeListArray] = []
    for part in parts:
        while sum(map(len, held)) + len(part) >= size:
            missing = size - sum(map(len, held))
            yield pa.concat_arrays([*held, part.slice(0, missing)])
            part, held = part.slice(missing), []
        if len(part):
            held.append(part)
    if held:
        yield pa.concat_arrays(held)
