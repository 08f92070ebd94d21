"""Lists as rows of token ids: what a list's prompts begin with is in its row once.

A row is the shared prefix, what each prompt has beside it but for its last token, and the last
tokens, one of each prompt, at the row's end. By a mask and by positions of its own, a prompt sees
the prefix and itself, as if it were alone. Rows are padded on the left, so that all last tokens
are in the same columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

PREFIX, NOBODY = 0, -1  # owners of tokens that are no single prompt's; the first prompt's is 1
# The score of a place without a prompt: never drawn before one, and finite.
NO_PROMPT = -1e4
_MULTIPLE = 8  # of tokens in a row


def split_prompts(prompts: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """What some prompts begin with, and the rest of each, which has a token at least.

    Args:
        prompts: token ids of each, not empty.
    """
    length = min(map(len, prompts)) - 1
    first = prompts[0][:length]
    for ids in prompts[1:]:
        differs = first[:length] != ids[:length]
        length = int(differs.argmax()) if differs.any() else length
    return first[:length], [ids[length:] for ids in prompts]


def split_lists(ids: pa.LargeListArray, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """The token ids of lists' prompts, as columns of a data set: `prefix` and `rests`.

    Args:
        ids: of the prompts of all lists, `newsrec.chat.pieces.TOKEN_IDS`.
        sizes: prompts of each list.
    """
    flat, offsets = ids.flatten().to_numpy(), ids.offsets.to_numpy() - ids.offsets[0].as_py()
    prompts = [flat[start:end] for start, end in pairwise(offsets)]
    found, start = [], 0
    for size in sizes:
        prefix, rests = split_prompts(prompts[start : start + size])
        found.append({"prefix": prefix, "rests": rests})
        start += size
    return found


@dataclass(frozen=True)
class Packing:
    """Puts lists into a batch of rows.

    Attributes:
        num_prompts: places for prompts in each row: those of the longest list.
        padding: token id that fills rows up.
    """

    num_prompts: int
    padding: int

    def __call__(self, lists: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """The batch of some lists: `prefix`, `rests`, the target's place `labels` and `number`.

        Returns:
            `input_ids`, `attention_mask` (no padding), `position_ids` and `owners`, of shape (rows,
            tokens); `is_prompt`, shape (rows, prompts); `labels` and `number`, shape (rows,).
        """
        packed = [self._row(one["prefix"], one["rests"]) for one in lists]
        longest = max(len(row[0]) for row in packed)
        longest += -longest % _MULTIPLE
        columns = {"input_ids": self.padding, "position_ids": 0, "owners": NOBODY}
        batch = {
            name: torch.tensor(
                np.stack([_padded(row[at], longest, fill) for row in packed]), dtype=torch.long
            )
            for at, (name, fill) in enumerate(columns.items())
        }
        sizes = torch.tensor([len(one["rests"]) for one in lists])
        return {
            **batch,
            "attention_mask": (batch["owners"] != NOBODY).long(),
            "is_prompt": torch.arange(self.num_prompts) < sizes.unsqueeze(-1),
            "labels": torch.tensor([one["labels"] for one in lists]),
            "number": torch.tensor([one["number"] for one in lists]),
        }

    def _row(self, prefix: Sequence[int], rests: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Ids, positions and owners of one row."""
        lengths = [len(rest) - 1 for rest in rests]
        start, owners = len(prefix), np.arange(1, len(rests) + 1)
        ends = start + np.array(lengths)
        row: tuple[list[Any], ...] = (
            [prefix, *(rest[:-1] for rest in rests), [rest[-1] for rest in rests]],
            [np.arange(start), *(start + np.arange(length) for length in lengths), ends],
            [[PREFIX] * start, np.repeat(owners, lengths), owners],
        )
        missing = self.num_prompts - len(rests)
        fills = (self.padding, 0, NOBODY)
        return [
            np.concatenate([*parts, [fill] * missing]).astype(np.int64)
            for parts, fill in zip(row, fills, strict=True)
        ]


def attention_of(owners: Tensor, position_ids: Tensor) -> Tensor:
    """Which token of a row may see which, shape (rows, 1, tokens, tokens).

    Args:
        owners: of each token, shape (rows, tokens).
        position_ids: of the same shape.
    """
    keys, queries = owners.unsqueeze(1), owners.unsqueeze(2)
    sees = ((keys == PREFIX) | (keys == queries)) & (keys != NOBODY)
    sees &= position_ids.unsqueeze(1) <= position_ids.unsqueeze(2)
    # Padding sees itself: a softmax over nothing is not a number.
    sees |= torch.eye(owners.shape[1], dtype=torch.bool, device=owners.device)
    return sees.unsqueeze(1)


def _padded(values: np.ndarray, length: int, fill: int) -> np.ndarray:
    return np.concatenate([np.full(length - len(values), fill), values])
