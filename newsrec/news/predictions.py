"""The predictions table: what every predictor, whatever it is, becomes before it is measured.

One row per (impression, candidate) in the order of the evaluation set. Models add their answers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.errors import UserError
from newsrec.files import atomic_file
from newsrec.news.prompts import parse_answer

KEYS = ["impression_id", "user_id", "news_id"]
_BASE_FIELDS = [
    ("impression_id", pa.string()),
    ("user_id", pa.string()),
    ("news_id", pa.string()),
    ("label", pa.int8()),
    ("score", pa.float64()),
]
SCHEMA = pa.schema(_BASE_FIELDS)
MODEL_SCHEMA = pa.schema(
    [
        *_BASE_FIELDS,
        ("p_yes", pa.float64()),
        ("p_no", pa.float64()),
        ("answer_mass", pa.float64()),
        ("text", pa.string()),
    ]
)
_BATCH_ROWS = 10_000
_TOLERANCE = 0.01  # by which rounding may bring a probability above 1
ROW = "row {} (the first is 0)"  # what an error calls a row of a Parquet file
_TRUTH = {"true": True, "false": False}  # as CSV files hold them


@dataclass
class AnswerAudit:
    """What an engine's answers to one evaluation set are worth, as counts of rows."""

    num_answers: int = 0
    num_unparsed: int = 0
    num_thinking: int = 0
    num_text_only: int = 0
    total_answer_mass: float = 0.0

    @property
    def mean_answer_mass(self) -> float | None:
        """Mean of P(Yes) + P(No); None where the engine has no probabilities."""
        num_with_mass = self.num_answers - self.num_text_only
        return self.total_answer_mass / num_with_mass if num_with_mass else None


def write_model_predictions(
    candidates: Path, answers: Path, target: Path, start: int = 0
) -> AnswerAudit:
    """Join an engine's answers to an evaluation set and write the predictions table.

    p_yes = P(Yes) / (P(Yes) + P(No)) at the first answer position and answer_mass = P(Yes) + P(No);
    the score is p_yes. An engine without probabilities leaves both null, and the score is
    what it wrote: 1 for yes, 0 for no, 0.5 for neither.

    Args:
        candidates: the evaluation set.
        answers: Parquet of `newsrec.engines.request.ANSWERS_SCHEMA`, the log-probabilities those
            of Yes and No; from row `start` on, one row for each of `candidates`.
        target: the predictions table to write.
        start: where this set's answers begin.

    A prompt that got no answer is one whose answer could not be read.

    Raises:
        UserError: there are too few answers, a log-probability is not a number or none that a
            probability has, or only some answers have any.
    """
    asked, answered = pq.ParquetFile(candidates), pq.ParquetFile(answers)
    num_rows, num_answers = asked.metadata.num_rows, answered.metadata.num_rows - start
    if num_answers < num_rows:
        raise UserError(f"{candidates}: {num_rows} prompts but {num_answers} answers; score again")
    audit, num_unanswered = AnswerAudit(), 0
    with atomic_file(target) as draft, pq.ParquetWriter(draft, MODEL_SCHEMA) as writer:
        replies_of = _batches(answered, start=start)
        for rows in _batches(asked, [*KEYS, "label"]):
            replies = next(replies_of).iloc[: len(rows)]
            yes, no = (replies["logprobs"].str[place].astype(float) for place in (0, 1))
            has_logprobs = replies["logprobs"].notna()
            text = replies["text"].fillna("")
            said = text.map(parse_answer)
            rows["answer_mass"] = np.exp(yes) + np.exp(no)
            # From the difference of the logarithms: both may be too small to divide.
            rows["p_yes"] = 1 / (1 + np.exp(-(yes - no)))
            rows["p_no"] = 1 - rows["p_yes"]
            by_text = said.astype("boolean").astype("Float64").fillna(0.5).astype(float)
            rows["score"] = rows["p_yes"].where(has_logprobs, by_text)
            rows["text"] = text
            _check_probabilities(rows[has_logprobs], answers)
            audit.num_answers += len(rows)
            audit.num_unparsed += int(said.isna().sum())
            audit.num_thinking += int(text.str.contains("<think", regex=False).sum())
            audit.num_text_only += int((~has_logprobs).sum())
            num_unanswered += int(replies["text"].isna().sum())
            audit.total_answer_mass += float(rows["answer_mass"][has_logprobs].sum())
            table = pa.Table.from_pandas(rows, schema=MODEL_SCHEMA, preserve_index=False)
            writer.write_table(table)
        if num_unanswered < audit.num_text_only < audit.num_answers:
            raise UserError(
                f"{answers}: {audit.num_text_only} of {audit.num_answers} answers have no "
                "probabilities; one table cannot hold both; score again with an engine that gives "
                "all or none"
            )
    return audit


def _check_probabilities(rows: pd.DataFrame, answers: Path) -> None:
    if not np.isfinite(rows["score"]).all():
        raise UserError(
            f"{answers}: an answer's probability is not a number; score again with another "
            "score.dtype, as float16 overflows, or fetch or train the model again: its weights "
            "may hold NaN"
        )
    if (above := rows["answer_mass"].max()) > 1 + _TOLERANCE:
        raise UserError(
            f"{answers}: P(Yes) and P(No) make {above:.2f} together, above 1; score again with an "
            "engine whose log-probabilities are those of the model"
        )


def write_predictions(candidates: pd.DataFrame, score: np.ndarray, target: Path) -> None:
    """Write the predictions of something that is no language model: a score for each row."""
    table = candidates[[*KEYS, "label"]].assign(score=score)
    with atomic_file(target) as draft:
        pq.write_table(pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False), draft)


def _batches(
    file: pq.ParquetFile, columns: list[str] | None = None, start: int = 0
) -> Iterator[pd.DataFrame]:
    """Batches of `_BATCH_ROWS` rows whatever the file's row groups, so that two files keep step."""
    held = pa.Table.from_batches([], schema=file.schema_arrow)
    held = held.select(columns) if columns else held
    for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
        part = pa.Table.from_batches([batch])
        skipped = min(start, part.num_rows)
        start -= skipped
        held = pa.concat_tables([held, part.slice(skipped)])
        while held.num_rows >= _BATCH_ROWS:
            yield held.slice(0, _BATCH_ROWS).to_pandas().reset_index(drop=True)
            held = held.slice(_BATCH_ROWS)
    if held.num_rows:
        yield held.to_pandas().reset_index(drop=True)


def read_predictions(source: Path, columns: Sequence[str] = SCHEMA.names) -> pd.DataFrame:
    """Read and check a predictions table.

    Args:
        source: Parquet, the types of whose columns may be any, see `checked`.
        columns: that it must have; of others those of `MODEL_SCHEMA` are read.

    Raises:
        UserError: the file is missing or no Parquet, or a column, label or score is not as it must.
    """
    try:
        file = pq.ParquetFile(source)
        names = file.schema_arrow.names
        _require_columns(names, source, columns)
        known = [name for name in names if name in MODEL_SCHEMA.names]
        # An index of pandas is a column like any other.
        table = file.read(known).replace_schema_metadata().to_pandas()
    except FileNotFoundError:
        raise UserError(f"{source}: no such file; make it with: dvc repro") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: not a Parquet file ({error}); make it again") from None
    return checked(table, source, ROW, columns)


def checked(
    table: pd.DataFrame, source: Path, place: str, columns: Sequence[str] = SCHEMA.names
) -> pd.DataFrame:
    """The table with text for ids, 0 and 1 for labels and finite numbers for scores.

    Ids may be integers, labels truth values, and numbers text, decimals or any type of number.

    Args:
        table: its index holds the number of each row in `source`.
        source: the file that an error names.
        place: what an error calls the row of a number, such as `line {}`.
        columns: that it must have, of `SCHEMA`; others are left as they are.

    Raises:
        UserError: a column is missing, or a value is none of its kind; with its row.
    """
    _require_columns(list(table.columns), source, columns)

    def refuse(wrong: np.ndarray, name: str, what: str) -> None:
        if wrong.any():
            row = int(wrong.argmax())
            where = f"{source}, {place.format(table.index[row])}"
            raise UserError(f"{where}: {what} ({str(table[name].iloc[row])!r}); correct the row")

    result: dict[str, pd.Series | np.ndarray] = {}
    for name in columns:
        if name in KEYS:
            refuse(table[name].isna().to_numpy(), name, f"no {name}; expected one in every row")
            result[name] = _as_text(table[name])
        else:
            numbers = as_numbers(table[name])
            if name == "label":
                wrong = ~np.isin(numbers, (0, 1))
                refuse(wrong, name, "a label other than 0 and 1; expected one of them in every row")
            else:
                wrong = ~np.isfinite(numbers)
                refuse(wrong, name, "a score that is no finite number; expected one in every row")
            result[name] = numbers.astype(SCHEMA.field(name).type.to_pandas_dtype())
    return table.assign(**result)


def _require_columns(names: list[str], source: Path, columns: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in names]:
        raise UserError(
            f"{source}: no column {', '.join(missing)}; expected {list(columns)}, found {names}; "
            "add or rename columns"
        )
    if twice := [name for name in columns if names.count(name) > 1]:
        raise UserError(f"{source}: two columns {twice[0]}; expected one of each; remove one")


def _as_text(ids: pd.Series) -> pd.Series:
    ids = ids.astype(object)
    return ids if pd.api.types.infer_dtype(ids) == "string" else ids.map(_id_text)


def _id_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # pandas makes floats of integers where one is missing
    return str(value)


def as_numbers(values: pd.Series) -> np.ndarray:
    """Numbers of any type, or as text, shape (rows,); NaN for what is not a number."""
    if pd.api.types.is_any_real_numeric_dtype(values):
        return values.to_numpy(dtype=float, na_value=np.nan)
    return np.array([_number(value) for value in values], dtype=float)


def _number(value: object) -> float:
    if isinstance(value, str):
        value = _TRUTH.get(value.lower(), value)
    if isinstance(value, (str, Decimal, Real)):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    return math.nan


def decisions(table: pd.DataFrame) -> pd.Series:
    """Yes or no for each row: what a model said, or whether another predictor's score reaches 0.5.

    NA for an answer that is neither; pandas' `boolean` type.
    """
    if "text" in table:
        answers, written = pd.factorize(table["text"], use_na_sentinel=False)  # few, of many rows
        said = pd.array([*map(parse_answer, written)], dtype="boolean")
        return pd.Series(said[answers], index=table.index)
    return (table["score"] >= 0.5).astype("boolean")


def require_same_rows(table: pd.DataFrame, candidates: pd.DataFrame, name: str) -> None:
    """Check a predictor's rows against the evaluation set.

    Raises:
        UserError: other impressions, candidates or labels, or another order.
    """
    columns = [*KEYS, "label"]
    if len(table) != len(candidates):
        found = f"{len(table):,} rows"
    else:
        differs = (table[columns].to_numpy() != candidates[columns].to_numpy()).any(axis=1)
        if not differs.any():
            return
        row = int(differs.argmax())
        found = f"in row {row} {tuple(map(str, table[columns].iloc[row]))}"
    raise UserError(
        f"predictions of {name}: {found}; expected the {len(candidates):,} rows of the evaluation "
        "set in its order; score again (dvc repro)"
    )
