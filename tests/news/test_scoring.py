"""From an evaluation set to predictions, with a stand-in for the engine that answers at once."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerBase

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, first_tokens
from newsrec.engines.request import ANSWERS_SCHEMA, Request
from newsrec.engines.settings import Settings, TransformersSettings
from newsrec.errors import UserError
from newsrec.news import scoring
from newsrec.news.predictions import read_predictions
from newsrec.news.scoring import Scored, score_candidates

SETTINGS = TransformersSettings(dtype="auto", batch_size=1)


def candidates(folder: Path, *rows: dict[str, object]) -> Path:
    plain = {"history": ["a b"], "liked": [], "disliked": [], "target": "c"}
    table = pd.DataFrame([plain | row for row in rows])
    table["impression_id"] = [str(number) for number in range(len(table))]
    table["user_id"], table["news_id"], table["label"] = "U", "N", 0
    path = folder / f"candidates_{len(list(folder.iterdir()))}.parquet"
    table.to_parquet(path)
    return path


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the engine, which is replaced, was called with."""
    calls: list[tuple[Any, ...]] = []

    def answer(
        settings: Settings, name: str, model: Path, request: Request, target: Path, work: Path
    ) -> dict[str, object]:
        calls.append((settings, name, model, request, work))
        logprobs = [[-0.1 * (row + 1), -3.0] for row in range(len(request.prompts))]
        columns = {"logprobs": logprobs, "text": ["Yes."] * len(logprobs)}
        pq.write_table(pa.Table.from_pydict(columns, schema=ANSWERS_SCHEMA), target)
        return {"asked": len(request.prompts)}

    monkeypatch.setattr(scoring, "answer", answer)
    return calls


def score(
    model: Path, tables: dict[Path, Path], work: Path, max_prompt_tokens: int = 400
) -> Scored:
    return score_candidates(
        SETTINGS,
        "tuned",
        model,
        tables,
        work,
        max_prompt_tokens=max_prompt_tokens,
        max_answer_tokens=3,
    )


def messages(calls: list[tuple[Any, ...]]) -> list[str]:
    """The message of each prompt that the engine was asked; each is a chat of that one alone."""
    chats = list(calls[-1][3].prompts.messages())
    assert all(chat == user_turn(chat[0]["content"]) for chat in chats)
    return [chat[0]["content"] for chat in chats]


def test_two_sets_are_answered_in_one_run(tokenizer_folder: Path, tmp_path: Path) -> None:
    first, second = candidates(tmp_path, {}, {}), candidates(tmp_path, {}, {}, {})
    tables = {first: tmp_path / "first.parquet", second: tmp_path / "second.parquet"}
    scored = score(tokenizer_folder, tables, tmp_path)
    assert scored.prompts.num_prompts == 5
    assert scored.engine == {"asked": 5}
    assert scored.token_texts == ("Yes", "No")
    found = [read_predictions(path) for path in tables.values()]
    assert [len(table) for table in found] == [2, 3]
    scores = [*found[0]["score"], *found[1]["score"]]
    assert scores == sorted(scores, reverse=True)


def test_the_engine_is_asked_for_yes_and_no_after_each_prompt(
    tokenizer_folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    calls: list[tuple[Any, ...]],
) -> None:
    table = candidates(tmp_path, {}, {"target": "d"})
    scored = score(tokenizer_folder, {table: tmp_path / "out.parquet"}, tmp_path)
    tokens = first_tokens(tokenizer, user_turn("hello"), ("Yes.", "No."))
    ((*given, request, work),) = calls
    assert (*given, work) == (SETTINGS, "tuned", tokenizer_folder, tmp_path)
    assert (request.answers, request.max_tokens) == (tokens, 3)
    assert scored.tokens == tokens
    ids = [encode_chat(tokenizer, user_turn(message)) for message in messages(calls)]
    assert [row for some in request.prompts.token_ids() for row in some.to_pylist()] == ids
    assert len(ids) == 2


def test_a_long_prompt_loses_whole_items_of_history_and_never_target_or_question(
    tokenizer_folder: Path, tmp_path: Path, calls: list[tuple[Any, ...]]
) -> None:
    long = {
        "history": ["oldest " * 90, "older " * 90, "newest item"],
        "liked": ["liked item"],
        "disliked": ["disliked item"],
        "target": "the target",
    }
    table = candidates(tmp_path, long, {})
    scored = score(tokenizer_folder, {table: tmp_path / "out.parquet"}, tmp_path, 250)
    message = messages(calls)[0]
    assert "oldest" not in message
    for words in (
        "newest item",
        "- liked item",
        "- disliked item",
        "- the target",
        "Will the user",
    ):
        assert words in message
    assert scored.prompts.num_shortened == 1
    assert scored.prompts.num_items_dropped in (1, 2)
    assert scored.prompts.longest_prompt <= 250


def test_a_target_that_does_not_fit_is_reported_with_the_knob(
    tokenizer_folder: Path, tmp_path: Path
) -> None:
    table = candidates(tmp_path, {"target": "word " * 400})
    with pytest.raises(
        UserError, match=r"without any history, at most 250 .* score\.max_model_len"
    ):
        score(tokenizer_folder, {table: tmp_path / "out"}, tmp_path, 250)


def test_text_that_became_a_control_token_is_found(tokenizer_folder: Path, tmp_path: Path) -> None:
    table = candidates(tmp_path, {"target": "a <|im_end|> b"})
    with pytest.raises(UserError, match="became a control token"):
        score(tokenizer_folder, {table: tmp_path / "out"}, tmp_path)
