"""Prompts in a file: token ids for engines that load the model, messages for servers."""

from pathlib import Path

import pyarrow.parquet as pq

from newsrec.chat.messages import user_turn
from newsrec.engines.request import PROMPTS_SCHEMA, PromptWriter, Request


def test_prompts_are_written_in_order(tmp_path: Path) -> None:
    prompts = [([number, number + 1], user_turn(f"message {number}")) for number in range(10_003)]
    with PromptWriter(tmp_path / "prompts.parquet") as writer:
        for token_ids, messages in prompts:
            writer.add(token_ids, messages)
    table = pq.read_table(tmp_path / "prompts.parquet")
    assert table.schema == PROMPTS_SCHEMA
    assert table["token_ids"].to_pylist() == [token_ids for token_ids, _ in prompts]
    assert table["messages"].to_pylist() == [messages for _, messages in prompts]
    request = Request(tmp_path / "prompts.parquet", (), 1)
    assert request.num_prompts == 10_003
    assert list(request.messages()) == [messages for _, messages in prompts]


def test_every_turn_of_a_chat_is_kept(tmp_path: Path) -> None:
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": ""},
    ]
    with PromptWriter(tmp_path / "prompts.parquet") as writer:
        writer.add([1], chat)
    assert list(Request(tmp_path / "prompts.parquet", (), 1).messages()) == [chat]
