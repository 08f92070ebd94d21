"""Batches of the pre-training of a tiny model, and their losses."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import Qwen3ForCausalLM

# Token ids of the whole chat, and how many of them are the prompt.
Encoded = tuple[list[int], int]
LossBy = Literal["token", "example"]

_IGNORED = -100  # labels that have no loss


class Batches:
    """Encoded examples, a batch for each step, in parts that several processes can compute.

    Args:
        examples: read in order, again from the start when they end.
        batch_size: examples a step, `num_parts` at least.
        pad: token id.
        packing: see `build_tiny`, as `loss_by`.
        loss_by: what weighs the same in the loss of a batch.
        num_parts: of each batch, of about the same length in tokens.
    """

    def __init__(
        self,
        examples: Sequence[Encoded],
        batch_size: int,
        *,
        pad: int,
        packing: bool,
        loss_by: LossBy,
        num_parts: int,
    ) -> None:
        self.num_parts = num_parts
        self._examples = examples
        self._batch_size = batch_size
        self._pad = pad
        self._arrange = packed if packing else padded
        self._loss_by = loss_by

    def backward(self, model: Qwen3ForCausalLM, step: int, part: int) -> float:
        """Add the gradients of a part's share of the loss to the model's; returns the share.

        The shares of all parts add up to the loss of the batch.
        """
        first = step * self._batch_size
        rows = [
            self._examples[i % len(self._examples)] for i in range(first, first + self._batch_size)
        ]
        total = self._weight(rows)
        if self.num_parts > 1:
            rows = sorted(rows, key=lambda row: -len(row[0]))[part :: self.num_parts]
        inputs = self._arrange(rows, self._pad)
        inputs["use_cache"] = False
        by_example = self._loss_by == "example"
        mean = example_loss(model, **inputs) if by_example else model(**inputs).loss
        loss = mean * (self._weight(rows) / total)
        loss.backward()
        share: float = loss.detach().item()
        return share

    def _weight(self, rows: Sequence[Encoded]) -> int:
        """Of the mean loss of some rows, when it is added to that of others."""
        if self._loss_by == "example":
            return len(rows)
        return sum(len(ids) - max(num_prompt, 1) for ids, num_prompt in rows)


def example_loss(model: Qwen3ForCausalLM, labels: Tensor, **inputs: Any) -> Tensor:
    """The mean over examples of the mean loss of their tokens.

    Labels of one example are apart from those of the next: no first token has one.
    """
    logits, labels = model(**inputs).logits[:, :-1], labels[:, 1:]
    read = labels != _IGNORED
    begins = read & ~torch.nn.functional.pad(read, (1, 0))[:, :-1]
    example = begins.flatten().cumsum(0)[read.flatten()] - 1
    losses = torch.nn.functional.cross_entropy(logits[read], labels[read], reduction="none")
    shares = 1 / example.bincount()[example]
    return (losses * shares).sum() / shares.sum()


def padded(examples: Sequence[Encoded], pad: int) -> dict[str, Any]:
    """A row of the model's input for each example."""
    ids = pad_sequence([torch.tensor(ids) for ids, _ in examples], True, pad)
    labels = pad_sequence([_labels(*one) for one in examples], True, _IGNORED)
    mask = pad_sequence([torch.ones(len(ids), dtype=torch.long) for ids, _ in examples], True, 0)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def packed(examples: Sequence[Encoded], pad: int) -> dict[str, Any]:
    """Rows as long as the longest example, filled first fit, the longest examples first."""
    longest = max(len(ids) for ids, _ in examples)
    rows: list[list[Encoded]] = []
    for example in sorted(examples, key=lambda one: -len(one[0])):
        free = longest - len(example[0])
        row = next((row for row in rows if sum(len(ids) for ids, _ in row) <= free), None)
        if row is None:
            rows.append([example])
        else:
            row.append(example)
    ids = [torch.cat([torch.tensor(ids) for ids, _ in row]) for row in rows]
    labels = [torch.cat([_labels(*one) for one in row]) for row in rows]
    positions = [
        torch.cat([*(torch.arange(len(ids)) for ids, _ in row), torch.arange(longest)])[:longest]
        for row in rows
    ]
    position_ids = torch.stack(positions)
    owner = (position_ids == 0).cumsum(dim=1)  # which example of its row each token belongs to
    own = owner[:, None, :, None] == owner[:, None, None, :]
    return {
        "input_ids": pad_sequence(ids, True, pad),
        "position_ids": position_ids,
        # Without one Transformers finds the examples by their positions, a tenth of a step longer.
        "attention_mask": own.tril(),
        "labels": pad_sequence(labels, True, _IGNORED),
    }


def _labels(ids: list[int], prompt_length: int) -> Tensor:
    """What each token is predicted to be, shape (tokens,); nothing precedes the first."""
    labels = torch.tensor(ids)
    labels[: max(prompt_length, 1)] = _IGNORED
    return labels
