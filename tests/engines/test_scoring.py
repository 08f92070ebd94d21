"""From an evaluation set to predictions, with a stand-in for the engine that answers at once."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from newsrec.engines.request import AnswerTokens
from newsrec.engines.scoring import score_candidates
from newsrec.errors import UserError
from newsrec.predictions import read_predictions


def candidates(folder: Path, *rows: dict[str, object]) -> Path:
    plain = {"history": ["a b"], "liked": [], "disliked": [], "target": "c"}
    table = pd.DataFrame([plain | row for row in rows])
    table["impression_id"] = [str(number) for number in range(len(table))]
    table["user_id"], table["news_id"], table["label"] = "U", "N", 0
    path = folder / f"candidates_{len(list(folder.iterdir()))}.parquet"
    table.to_parquet(path)
    return path


def answer(prompts: Path, answers: Path, tokens: AnswerTokens) -> dict[str, object]:
    num_rows = pq.ParquetFile(prompts).metadata.num_rows
    table = pd.DataFrame({"logprob_yes": [-0.1 * (row + 1) for row in range(num_rows)]})
    table.assign(logprob_no=-1.0, text="Yes.").to_parquet(answers)
    return {"asked": num_rows}


def test_two_sets_are_answered_in_one_run(tiny_model: Path, tmp_path: Path) -> None:
    first, second = candidates(tmp_path, {}, {}), candidates(tmp_path, {}, {}, {})
    tables = {first: tmp_path / "first.parquet", second: tmp_path / "second.parquet"}
    scored = score_candidates(tiny_model, tables, tmp_path, max_prompt_tokens=400, ask=answer)
    assert scored.prompts.num_prompts == 5
    assert scored.engine == {"asked": 5}
    assert scored.token_texts == ("Yes", "No")
    found = [read_predictions(path) for path in tables.values()]
    assert [len(table) for table in found] == [2, 3]
    scores = [*found[0]["score"], *found[1]["score"]]
    assert scores == sorted(scores, reverse=True)


def test_a_long_prompt_loses_whole_items_of_history_and_never_target_or_question(
    tiny_model: Path, tmp_path: Path
) -> None:
    long = {
        "history": ["oldest " * 30, "older " * 30, "newest item"],
        "liked": ["liked item"],
        "disliked": ["disliked item"],
        "target": "the target",
    }
    table = candidates(tmp_path, long, {})
    scored = score_candidates(
        tiny_model, {table: tmp_path / "out.parquet"}, tmp_path, max_prompt_tokens=250, ask=answer
    )
    message = pq.read_table(tmp_path / "prompts.parquet")["message"].to_pylist()[0]
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


def test_a_target_that_does_not_fit_is_told_with_the_knob(tiny_model: Path, tmp_path: Path) -> None:
    table = candidates(tmp_path, {"target": "word " * 400})
    with pytest.raises(
        UserError, match=r"without any history, at most 250 .* score\.max_model_len"
    ):
        score_candidates(
            tiny_model, {table: tmp_path / "out"}, tmp_path, max_prompt_tokens=250, ask=answer
        )


def test_text_that_became_a_control_token_is_found(tiny_model: Path, tmp_path: Path) -> None:
    table = candidates(tmp_path, {"target": "a <|im_end|> b"})
    with pytest.raises(UserError, match="became a control token"):
        score_candidates(
            tiny_model, {table: tmp_path / "out"}, tmp_path, max_prompt_tokens=400, ask=answer
        )
