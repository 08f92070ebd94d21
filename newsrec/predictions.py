"""The predictions table: what every predictor, whatever it is, becomes before it is measured.

One row per (impression, candidate) in the order of the evaluation set. Models
add what they answered.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.errors import UserError
from newsrec.files import atomic_file
from newsrec.prompts import parse_answer, user_message

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


def iter_messages(candidates: Path) -> Iterator[str]:
    """The user message of every row of the evaluation set, in order."""
    columns = ["history", "liked", "disliked", "target"]
    for batch in pq.ParquetFile(candidates).iter_batches(_BATCH_ROWS, columns=columns):
        for row in batch.to_pylist():
            yield user_message(row["history"], row["liked"], row["disliked"], row["target"])


def write_model_predictions(candidates: Path, answers: Path, target: Path) -> float:
    """Join an engine's answers to the evaluation set and write the predictions table.

    p_yes = P(Yes) / (P(Yes) + P(No)) at the first answer position and answer_mass = P(Yes) + P(No);
    the score is p_yes.

    Args:
        candidates: the evaluation set.
        answers: Parquet with logprob_yes, logprob_no, text, a row for each row of `candidates`.
        target: the predictions table to write.

    Returns:
        The mean answer mass.

    Raises:
        UserError: the two do not have the same number of rows, or an answer is no number.
    """
    asked, answered = pq.ParquetFile(candidates), pq.ParquetFile(answers)
    if asked.metadata.num_rows != answered.metadata.num_rows:
        raise UserError(
            f"{candidates}: {asked.metadata.num_rows} prompts but {answered.metadata.num_rows} "
            "answers; score again"
        )
    total_mass = 0.0
    with atomic_file(target) as draft, pq.ParquetWriter(draft, MODEL_SCHEMA) as writer:
        for rows, replies in zip(
            _batches(asked, [*KEYS, "label"]), _batches(answered), strict=True
        ):
            yes, no = np.exp(replies["logprob_yes"]), np.exp(replies["logprob_no"])
            rows["answer_mass"] = yes + no
            # From the difference of the logarithms: both may be too small to divide.
            margin = replies["logprob_yes"] - replies["logprob_no"]
            rows["p_yes"] = 1 / (1 + np.exp(-margin))
            rows["p_no"] = 1 - rows["p_yes"]
            rows["score"] = rows["p_yes"]
            rows["text"] = replies["text"]
            if not np.isfinite(rows["score"]).all():
                raise UserError(f"{answers}: an answer's probability is no number; score again")
            total_mass += float(rows["answer_mass"].sum())
            table = pa.Table.from_pandas(rows, schema=MODEL_SCHEMA, preserve_index=False)
            writer.write_table(table)
    return total_mass / int(asked.metadata.num_rows)


def write_predictions(candidates: pd.DataFrame, score: np.ndarray, target: Path) -> None:
    """Write the predictions of something that is no language model: a score for each row."""
    table = candidates[[*KEYS, "label"]].assign(score=score)
    with atomic_file(target) as draft:
        pq.write_table(pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False), draft)


def _batches(file: pq.ParquetFile, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """Batches of `_BATCH_ROWS` rows whatever the file's row groups, so that two files keep step."""
    held: list[pa.RecordBatch] = []
    for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
        held.append(batch)
        if sum(part.num_rows for part in held) >= _BATCH_ROWS:
            table = pa.Table.from_batches(held)
            yield table.slice(0, _BATCH_ROWS).to_pandas()
            held = table.slice(_BATCH_ROWS).to_batches()
    if held:
        yield pa.Table.from_batches(held).to_pandas()


def read_predictions(source: Path) -> pd.DataFrame:
    """Read and check a predictions table.

    Raises:
        UserError: the file is missing or no Parquet, or a column, label or score is not as it must.
    """
    try:
        table = pd.read_parquet(source)
    except FileNotFoundError:
        raise UserError(f"{source}: no such file; make it with: dvc repro") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{source}: not a Parquet file ({error}); make it again") from None
    missing = [name for name in SCHEMA.names if name not in table]
    if missing:
        raise UserError(f"{source}: no column {', '.join(missing)}; expected {SCHEMA.names}")
    if not table["label"].isin([0, 1]).all():
        raise UserError(f"{source}: a label other than 0 and 1; expected one of them in every row")
    if not np.isfinite(table["score"]).all():
        raise UserError(f"{source}: a score that is no finite number; expected one in every row")
    return table


def decisions(table: pd.DataFrame) -> pd.Series:
    """Yes or no for each row: what a model said, or whether another predictor's score reaches 0.5.

    Returns:
        True, False or, for an answer that is neither, NA; pandas' `boolean` type.
    """
    if "text" in table:
        return table["text"].map(parse_answer).astype("boolean")
    return (table["score"] >= 0.5).astype("boolean")
