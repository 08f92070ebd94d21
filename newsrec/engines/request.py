"""The input and output of an engine: token ids in, figures and text out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from newsrec.chat.messages import Messages
from newsrec.chat.pieces import TOKEN_IDS

# A log-probability for each answer of the request, in order; null if the engine returns none.
# The text is null if a server gave no answer.
ANSWERS_SCHEMA = pa.schema([("logprobs", pa.list_(pa.float64())), ("text", pa.string())])
# The texts that a prompt may be answered with; if empty, it is answered with free text.
Choices = Sequence[str]
# A logit for each class, in the order of the ids; null if a text has no tokens.
CLASSES_SCHEMA = pa.schema([("logits", pa.list_(pa.float64()))])


def choice_tokens(choices: Choices) -> int:
    """The maximum number of tokens of a choice: one for each byte, and one that ends it."""
    return 1 + max(len(text.encode()) for text in choices)


class Prompts(Protocol):
    """Prompts in a fixed order, created again for each iteration."""

    def __len__(self) -> int: ...

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """The prompts for engines that load the model: `TOKEN_IDS`, in chunks of any size."""

    def messages(self) -> Iterator[Messages]:
        """The chat of each prompt, for servers that accept text."""


@dataclass(frozen=True)
class FewPrompts:
    """Prompts in memory, as ids, as chats or as both."""

    ids: Sequence[Sequence[int]] = ()
    chats: Sequence[Messages] = ()

    def __len__(self) -> int:
        return max(len(self.ids), len(self.chats))

    def token_ids(self) -> Iterator[pa.LargeListArray]:
        """All prompts in one chunk."""
        yield pa.array(self.ids, type=TOKEN_IDS)

    def messages(self) -> Iterator[Messages]:
        """One chat after another."""
        yield from self.chats


@dataclass(frozen=True)
class Request:
    """Prompts to answer, all in the same way except for their choices.

    Attributes:
        prompts: the prompts.
        answers: the first token of each answer whose log-probability is requested at the first
            position after the prompt; any number of tokens, none for free text.
        max_tokens: the maximum number of tokens to generate, greedily.
        choices: the choices of each prompt, in order: one of its texts is generated in full,
            whatever its number of tokens. Each token is the most probable one of all that continue
            one of the texts, as in vLLM's structured outputs. Empty: all answers are free text.

    Raises:
        ValueError: there are choices, but not for each prompt, or log-probabilities are also
            requested, which some engines compute before and some after the constraint.
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
        """The maximum number of tokens for a prompt with these choices."""
        return choice_tokens(choices) if choices else self.max_tokens

    @property
    def schema(self) -> pa.Schema:
        """The schema of the answers."""
        return ANSWERS_SCHEMA

    @property
    def identity(self) -> list[object]:
        """The outputs requested for every prompt; choices belong to the prompts."""
        return [self.answers, self.max_tokens]


@dataclass(frozen=True)
class ClassRequest:
    """Texts to classify with a model that has a classification head.

    Attributes:
        prompts: the texts; only their token ids are used.
    """

    prompts: Prompts

    @property
    def schema(self) -> pa.Schema:
        """The schema of the answers."""
        return CLASSES_SCHEMA

    @property
    def identity(self) -> list[object]:
        """The outputs requested for every text."""
        return ["logits"]


def batched(parts: Iterable[pa.LargeListArray], size: int) -> Iterator[pa.LargeListArray]:
    """The same rows in batches of `size`; the last one may be smaller."""
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
