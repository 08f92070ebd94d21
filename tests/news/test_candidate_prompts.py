"""Prompts made of many candidates at once are those of one candidate after the other."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from transformers import PreTrainedTokenizerBase

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat
from newsrec.news import candidate_prompts
from newsrec.news.candidate_prompts import CandidatePrompts
from newsrec.news.prompts import user_message

WORDS = [*["Chef", "grills", "near", "city", "hall"], "(none)", "-", "'quoted'", "2,019", "café"]


@pytest.fixture
def rows() -> list[dict[str, object]]:
    rng = np.random.default_rng(1)

    def titles(limit: int) -> list[str]:
        num = rng.integers(0, limit + 1)
        return [" ".join(rng.choice(WORDS, rng.integers(1, 8))) for _ in range(num)]

    return [
        {"history": titles(6), "liked": titles(3), "disliked": titles(3), "target": title}
        for title in (" ".join(rng.choice(WORDS, 4)) for _ in range(120))
    ]


@pytest.fixture
def table(rows: list[dict[str, object]], tmp_path: Path) -> Path:
    pd.DataFrame(rows).to_parquet(tmp_path / "candidates.parquet")
    return tmp_path / "candidates.parquet"


def one_by_one(
    tokenizer: PreTrainedTokenizerBase, row: dict, max_tokens: int
) -> tuple[str, list[int], int]:
    """The message that fits, its ids, and how many items it lost."""
    lists = {name: list(row[name]) for name in ("history", "disliked", "liked")}
    num_dropped = 0
    while True:
        message = user_message(lists["history"], lists["liked"], lists["disliked"], row["target"])
        ids = encode_chat(tokenizer, user_turn(message))
        if len(ids) <= max_tokens:
            return message, ids, num_dropped
        next(items for items in lists.values() if items).pop(0)
        num_dropped += 1


@pytest.mark.slow  # a second or so
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("room", [1.0, 0.4, 0.2, 0.0])  # beside target and question
def test_ids_messages_and_audit_are_those_of_one_after_the_other(
    room: float,
    whole: bool,
    rows: list[dict],
    table: Path,
    tokenizer: PreTrainedTokenizerBase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidate_prompts, "_BATCH_ROWS", 50)
    bare = [row | dict.fromkeys(("history", "liked", "disliked"), ()) for row in rows]
    shortest, longest = (
        max(len(one_by_one(tokenizer, row, 1000)[1]) for row in some) for some in (bare, rows)
    )
    max_tokens = int(shortest + room * (longest - shortest))
    expected = [one_by_one(tokenizer, row, max_tokens) for row in rows]
    prompts = CandidatePrompts(tokenizer, [table, table], max_tokens)
    if whole:
        prompts._encoder._adds_up = False
    audit = prompts.audit()
    assert prompts._encoder.adds_up is not whole
    assert (room == 1) == (audit.num_shortened == 0)
    for _ in range(2):  # they are made anew each time
        found = [ids for some in prompts.token_ids() for ids in some.to_pylist()]
        assert found == [ids for _, ids, _ in expected] * 2
    messages = [chat[0]["content"] for chat in prompts.messages()]
    assert messages == [message for message, _, _ in expected] * 2
    assert len(prompts) == audit.num_prompts == 2 * len(rows)
    assert audit.num_shortened == 2 * sum(num > 0 for _, _, num in expected)
    assert audit.num_items_dropped == 2 * sum(num for _, _, num in expected)
    assert audit.longest_prompt == max(len(ids) for _, ids, _ in expected)
