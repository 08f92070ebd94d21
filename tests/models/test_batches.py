"""Batches of pre-training: packed or padded, whole or in parts, they have the same loss."""

from random import Random
from typing import Literal

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from newsrec.models.batches import Batches, Encoded, example_loss, packed, padded


def drawn(prompt_length: int) -> tuple[Qwen3ForCausalLM, list[Encoded]]:
    """A model that has learned nothing, and examples of several lengths."""
    rng = Random(3)
    examples = [
        ([rng.randrange(1, 50) for _ in range(length)], prompt_length)
        for length in (9, 2, 20, 3, 7, 11, 5, 20)
    ]
    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
    )
    return Qwen3ForCausalLM(config).train(), examples


@pytest.mark.parametrize("prompt_length", [0, 1])
def test_packed_examples_have_the_loss_and_gradients_of_padded_ones(prompt_length: int) -> None:
    model, examples = drawn(prompt_length)
    found = {}
    for arrange in (padded, packed):
        model.zero_grad()
        rows = arrange(examples, pad=0)
        loss = model(**rows, use_cache=False).loss
        loss.backward()
        gradients = torch.cat([weight.grad.flatten() for weight in model.parameters()])
        found[arrange] = (rows["input_ids"].shape, loss.item(), gradients)
    assert found[padded][0] == (8, 20)
    assert found[packed][0] == (4, 20)  # 20, 20, 11 + 9, 7 + 5 + 3 + 2
    assert found[packed][1] == pytest.approx(found[padded][1], abs=1e-6)
    assert torch.allclose(found[packed][2], found[padded][2], atol=1e-6)


@pytest.mark.parametrize("prompt_length", [0, 1])
def test_the_loss_by_example_is_the_mean_of_those_of_each_alone(prompt_length: int) -> None:
    model, examples = drawn(prompt_length)
    alone = [model(**padded([one], pad=0)).loss.item() for one in examples]
    for arrange in (padded, packed):
        loss = example_loss(model, **arrange(examples, pad=0), use_cache=False)
        assert loss.item() == pytest.approx(sum(alone) / len(alone), abs=1e-6)


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("loss_by", ["token", "example"])
@pytest.mark.parametrize("num_parts", [2, 3])
def test_the_parts_of_a_batch_add_up_to_it(
    num_parts: int, loss_by: Literal["token", "example"], packing: bool
) -> None:
    model, examples = drawn(prompt_length=1)
    found = {}
    for num in (1, num_parts):
        batches = Batches(examples, 7, pad=0, packing=packing, loss_by=loss_by, num_parts=num)
        model.zero_grad()
        loss = sum(batches.backward(model, 1, part) for part in range(num))
        found[num] = (loss, torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert found[num_parts][0] == pytest.approx(found[1][0], abs=1e-6)
    assert torch.allclose(found[num_parts][1], found[1][1], atol=1e-6)
