"""Rows that hold a list: what each prompt sees, and that its score is that of the prompt alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from newsrec.chat.messages import user_turn
from newsrec.chat.pieces import TOKEN_IDS
from newsrec.chat.tokens import encode_chat, first_tokens, load_tokenizer
from newsrec.errors import UserError
from newsrec.models.loading import load_model
from newsrec.ranker.list_prompts import ListPrompts, nothing_shown
from newsrec.ranker.lists import parts_of, read_items, read_lists
from newsrec.ranker.prompts import NO, YES, user_message
from newsrec.ranker.rl.policy import Policy
from newsrec.ranker.rl.rows import NO_PROMPT, Packing, attention_of, split_lists, split_prompts
from newsrec.ranker.rl.training import Lists
from tests.ranker.rl.small import PROMPT, write_lists


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return write_lists(tmp_path_factory.mktemp("lists"))


def test_what_prompts_begin_with_is_split_off_and_each_keeps_a_token() -> None:
    prefix, rests = split_prompts([np.array(ids) for ids in ([1, 2, 3, 9], [1, 2, 4], [1, 2, 3])])
    assert prefix.tolist() == [1, 2]
    assert [rest.tolist() for rest in rests] == [[3, 9], [4], [3]]
    prefix, rests = split_prompts([np.array([1, 2]), np.array([1, 2])])
    assert (prefix.tolist(), [rest.tolist() for rest in rests]) == ([1], [[2], [2]])


def test_lists_are_split_one_by_one() -> None:
    ids = pa.array([[5], [1, 2], [1, 3], [7, 7, 8], [7, 7, 9]], type=TOKEN_IDS).slice(1)
    found = split_lists(ids, [2, 2])
    assert [one["prefix"].tolist() for one in found] == [[1], [7, 7]]
    assert [[rest.tolist() for rest in one["rests"]] for one in found] == [[[2], [3]], [[8], [9]]]


def test_a_row_ends_with_the_last_token_of_each_prompt_and_padding_is_on_the_left() -> None:
    one = {"prefix": [1, 2], "rests": [[3, 4], [5], [6, 7, 8]], "labels": 1, "number": 4}
    other = {"prefix": [9], "rests": [[3, 4]], "labels": 0, "number": 5}
    batch = Packing(3, padding=0)([one, other])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 6, 7, 4, 5, 8], [0, 0, 0, 9, 3, 4, 0, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 2, 3, 3, 2, 4], [0, 0, 0, 0, 1, 2, 0, 0]]
    assert batch["owners"].tolist() == [[0, 0, 1, 3, 3, 1, 2, 3], [-1, -1, -1, 0, 1, 1, -1, -1]]
    assert batch["attention_mask"].sum(1).tolist() == [8, 3]
    assert batch["is_prompt"].tolist() == [[True] * 3, [True, False, False]]
    assert (batch["labels"].tolist(), batch["number"].tolist()) == ([1, 0], [4, 5])


def test_a_token_sees_the_prefix_and_its_own_prompt_up_to_itself() -> None:
    batch = Packing(2, padding=0)(
        [{"prefix": [1], "rests": [[2, 3], [4]], "labels": 0, "number": 0}]
    )
    sees = attention_of(batch["owners"], batch["position_ids"])[0, 0]
    # Four of padding, then: prefix, the first prompt's first token, its last, the other's.
    assert sees[4:, 4:].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    assert sees[:4].any(1).all()
    assert not sees[4:, :4].any()


def test_the_prompts_of_a_row_are_the_prompts_of_scoring(
    tokenizer: PreTrainedTokenizerBase, lists: Lists
) -> None:
    items = read_items(lists.items)
    (batch,) = ListPrompts(tokenizer, [lists.val], items, PROMPT, 500).batches()
    sizes = [len(row["candidates"]) for row in batch.rows]
    found = [
        [*one["prefix"], *rest] for one in split_lists(batch.ids, sizes) for rest in one["rests"]
    ]
    expected = [
        encode_chat(tokenizer, user_turn(user_message(history, candidate)))
        for history, candidates in parts_of(read_lists(lists.val), items, PROMPT)
        for candidate in candidates
    ]
    assert [list(map(int, ids)) for ids in found] == expected
    assert len(set(sizes)) > 1


def policy_and_lists(model: Path, lists: Lists) -> tuple[Policy, list[dict[str, Any]]]:
    tokenizer = load_tokenizer(model)
    prompts = ListPrompts(tokenizer, [lists.val], read_items(lists.items), PROMPT, 500)
    (batch,) = prompts.batches()
    rows = split_lists(batch.ids, [len(row["candidates"]) for row in batch.rows])
    yes, no = first_tokens(tokenizer, nothing_shown(), (YES, NO))
    network = load_model(model, "float32", attn_implementation="sdpa")
    policy = Policy(network, (yes, no), has_critic=False).eval()
    return policy, [{**row, "labels": 0, "number": at} for at, row in enumerate(rows)]


@torch.no_grad()
def test_scores_in_rows_are_those_of_single_prompts(tiny_model: Path, lists: Lists) -> None:
    policy, rows = policy_and_lists(tiny_model, lists)
    batch = Packing(6, padding=0)(rows)
    del batch["labels"], batch["number"]
    scores = policy(**batch)["scores"]
    yes, no = policy._answers
    for row, found in zip(rows, scores, strict=True):
        alone = [
            policy.network(torch.tensor([[*row["prefix"], *rest]])).logits[0, -1]
            for rest in row["rests"]
        ]
        expected = torch.stack([logits[yes] - logits[no] for logits in alone])
        assert (found[: len(alone)] - expected).abs().max() < 1e-4
        assert expected.std() > 1e-2  # else any mask would pass
        assert (found[len(alone) :] == NO_PROMPT).all()


def test_a_model_that_reads_rows_otherwise_is_refused(tiny_model: Path, lists: Lists) -> None:
    policy, rows = policy_and_lists(tiny_model, lists)
    batch = Packing(5, padding=0)(rows[:1])
    alone = [[*rows[0]["prefix"], *rest] for rest in rows[0]["rests"]]
    assert policy.check_rows(batch, alone, 1e-4) < 1e-4
    batch["owners"] = torch.where(batch["owners"] > 0, 0, batch["owners"])
    with pytest.raises(UserError, match=r"a prompt's score differs by .* choose another one"):
        policy.check_rows(batch, alone, 1e-4)
