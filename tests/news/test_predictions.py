"""The predictions table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.engines.request import ANSWERS_SCHEMA
from newsrec.errors import UserError
from newsrec.news.predictions import (
    KEYS,
    decisions,
    read_predictions,
    require_same_rows,
    write_model_predictions,
    write_predictions,
)

pytestmark = pytest.mark.slow

NUM_ROWS = 25_000  # more than two batches


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    numbers = np.arange(NUM_ROWS)
    table = pd.DataFrame(
        {
            "impression_id": (numbers // 5).astype(str),
            "user_id": "U1",
            "news_id": [f"N{number}" for number in numbers],
            "label": (numbers % 5 == 0).astype("int8"),
            "history": [["a"]] * NUM_ROWS,
            "liked": [[]] * NUM_ROWS,
            "disliked": [["b"]] * NUM_ROWS,
            "target": [f"title {number}" for number in numbers],
        }
    )
    # Row groups that fall on no round number: two files need not be cut alike.
    pq.write_table(pa.Table.from_pandas(table), tmp_path / "candidates.parquet", row_group_size=777)
    return tmp_path / "candidates.parquet"


def answers(
    folder: Path,
    num_rows: int,
    logprobs: list[list[float] | None] | None = None,
    text: Sequence[str | None] | None = None,
) -> Path:
    """Answers as an engine writes them; P(Yes) rises from 0.1 to 0.6, and P(No) is 0.3."""
    yes = np.log(np.linspace(0.1, 0.6, num_rows))
    logprobs = logprobs or np.stack([yes, np.log(np.full(num_rows, 0.3))], axis=1).tolist()
    columns = {"logprobs": logprobs, "text": text or ["No."] * num_rows}
    table = pa.Table.from_pydict(columns, schema=ANSWERS_SCHEMA)
    pq.write_table(table, folder / "answers.parquet", row_group_size=4_000)
    return folder / "answers.parquet"


def test_answers_join_their_candidates_in_order(candidates: Path, tmp_path: Path) -> None:
    target = tmp_path / "tuned.parquet"
    audit = write_model_predictions(candidates, answers(tmp_path, NUM_ROWS), target)
    table = read_predictions(target)
    yes = np.linspace(0.1, 0.6, NUM_ROWS)
    assert table[KEYS].equals(pd.read_parquet(candidates)[KEYS])
    np.testing.assert_allclose(table["p_yes"], yes / (yes + 0.3))
    np.testing.assert_allclose(table["p_yes"] + table["p_no"], 1)
    np.testing.assert_allclose(table["answer_mass"], yes + 0.3)
    assert audit.mean_answer_mass == pytest.approx(0.65)


def test_probabilities_too_small_for_a_float_still_compare(
    candidates: Path, tmp_path: Path
) -> None:
    source = answers(tmp_path, NUM_ROWS, [[-900.0, -901.0]] * NUM_ROWS)
    write_model_predictions(candidates, source, tmp_path / "tuned.parquet")
    found = read_predictions(tmp_path / "tuned.parquet")["p_yes"]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-1)))


def test_a_probability_that_is_no_number_is_refused(candidates: Path, tmp_path: Path) -> None:
    logprobs: list[list[float] | None] = [[-1.0, -2.0]] * NUM_ROWS
    logprobs[20_001] = [-np.inf, -np.inf]
    with pytest.raises(UserError, match="an answer's probability is not a number; score again"):
        write_model_predictions(
            candidates, answers(tmp_path, NUM_ROWS, logprobs), tmp_path / "t.parquet"
        )
    assert not (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([float("nan"), -2.0], "an answer's probability is not a number"),
        ([None, -2.0], "an answer's probability is not a number"),
        ([0.0, 0.0], "make 2.00 together, above 1"),
        ([0.4, -3.0], "make 1.54 together, above 1"),
        (None, "1 of 25000 answers have no probabilities"),
    ],
)
def test_one_wrong_probability_is_never_replaced_by_its_text(
    wrong: list[float] | None, words: str, candidates: Path, tmp_path: Path
) -> None:
    logprobs: list[list[float] | None] = [[-1.0, -2.0]] * NUM_ROWS
    logprobs[20_001] = wrong
    with pytest.raises(UserError, match=words):
        write_model_predictions(
            candidates, answers(tmp_path, NUM_ROWS, logprobs), tmp_path / "t.parquet"
        )
    assert not (tmp_path / "t.parquet").exists()


def test_a_prompt_without_an_answer_is_one_that_could_not_be_read(
    candidates: Path, tmp_path: Path
) -> None:
    logprobs: list[list[float] | None] = [[-1.0, -2.0]] * NUM_ROWS
    text: list[str | None] = ["Yes."] * NUM_ROWS
    logprobs[20_001], text[20_001] = None, None
    target = tmp_path / "t.parquet"
    audit = write_model_predictions(candidates, answers(tmp_path, NUM_ROWS, logprobs, text), target)
    assert (audit.num_unparsed, audit.num_text_only) == (1, 1)
    assert audit.mean_answer_mass == pytest.approx(np.exp(-1) + np.exp(-2))
    found = read_predictions(target).iloc[20_001]
    assert (found["score"], found["text"]) == (0.5, "")
    assert found[["p_yes", "p_no", "answer_mass"]].isna().all()


def test_a_missing_answer_is_reported_and_nothing_is_written(
    candidates: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="25000 prompts but 24999 answers"):
        write_model_predictions(candidates, answers(tmp_path, NUM_ROWS - 1), tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


def test_two_sets_share_one_run_of_the_engine(candidates: Path, tmp_path: Path) -> None:
    source = answers(tmp_path, NUM_ROWS + 30_000)
    write_model_predictions(candidates, source, tmp_path / "b.parquet", start=30_000)
    expected = pd.read_parquet(source)["logprobs"].str[0].to_numpy()[30_000:]
    found = read_predictions(tmp_path / "b.parquet")
    np.testing.assert_allclose(found["answer_mass"] * found["p_yes"], np.exp(expected))


def test_an_engine_without_probabilities_leaves_them_null_and_is_counted(
    candidates: Path, tmp_path: Path
) -> None:
    text = ["Yes.", "No.", "hm", "<think>", "No."] * (NUM_ROWS // 5)
    source = answers(tmp_path, NUM_ROWS, [None] * NUM_ROWS, text)
    target = tmp_path / "text.parquet"
    audit = write_model_predictions(candidates, source, target)
    found = pd.read_parquet(target)
    assert list(found["score"][:5]) == [1, 0, 0.5, 0.5, 0]
    assert found[["p_yes", "p_no", "answer_mass"]].isna().all(axis=None)
    assert (audit.num_text_only, audit.num_answers) == (NUM_ROWS, NUM_ROWS)
    assert (audit.num_unparsed, audit.num_thinking) == (NUM_ROWS * 2 // 5, NUM_ROWS // 5)
    assert audit.mean_answer_mass is None


def test_other_rows_than_the_evaluation_sets_are_reported(candidates: Path) -> None:
    table = pd.read_parquet(candidates)
    require_same_rows(table, table, "x")
    with pytest.raises(UserError, match="of x: 24,999 rows; expected the 25,000"):
        require_same_rows(table.iloc[:-1], table, "x")
    other = table.copy()
    other.loc[7, "news_id"] = "N0"
    with pytest.raises(UserError, match=r"in row 7 \('1', 'U1', 'N0', '0'\)"):
        require_same_rows(other, table, "x")


def test_a_model_decides_by_what_it_wrote_and_a_baseline_by_its_score(
    candidates: Path, tmp_path: Path
) -> None:
    written = pd.DataFrame({"score": [0.9, 0.9, 0.1], "text": ["No.", "hm", "Yes."]})
    assert list(decisions(written)) == [False, pd.NA, True]
    write_predictions(pd.read_parquet(candidates), np.full(NUM_ROWS, 0.5), tmp_path / "b.parquet")
    assert decisions(read_predictions(tmp_path / "b.parquet")).all()


def test_a_broken_table_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_predictions(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(UserError, match="not a Parquet file"):
        read_predictions(tmp_path / "text.parquet")
    pd.DataFrame({"news_id": ["N1"]}).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(UserError, match="no column impression_id"):
        read_predictions(tmp_path / "short.parquet")
    row = {"impression_id": "1", "user_id": "U", "news_id": "N", "label": 1, "score": np.nan}
    pd.DataFrame([row]).to_parquet(tmp_path / "nan.parquet")
    with pytest.raises(UserError, match="no finite number"):
        read_predictions(tmp_path / "nan.parquet")
