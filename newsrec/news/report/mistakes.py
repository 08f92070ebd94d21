"""A model's most confident wrong answers, with the contents of their prompts."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from newsrec.errors import UserError
from newsrec.news.predictions import KEYS, decisions

FALSE_POSITIVE = "false positive"
FALSE_NEGATIVE = "false negative"
UNPARSED = "unparsed"
KINDS = (FALSE_POSITIVE, FALSE_NEGATIVE, UNPARSED)
_SHOWN = ["history", "liked", "disliked", "target", "category"]
_BATCH_ROWS = 10_000


def most_confident_mistakes(
    candidates: Path, predictions: pd.DataFrame, num: int
) -> list[dict[str, object]]:
    """Up to `num` mistakes of each kind, the most confident (furthest from the label) first.

    The kinds are separate because clicks are rare: in a single list the most common kind would
    displace the others. Ties keep the order of the rows.

    Args:
        candidates: the evaluation set; only the rows to be shown are kept in memory.
        predictions: a model's predictions table, with the same rows in the same order.
        num: maximum number of mistakes of each kind.

    Returns:
        For each mistake: kind, score, label, text, the keys, and the contents of the prompt.

    Raises:
        UserError: the tables do not have the same rows in the same order.
    """
    answered_yes, clicked = decisions(predictions), predictions["label"] == 1
    wrong_by = (predictions["score"] - predictions["label"]).abs()
    of_kind = {
        FALSE_POSITIVE: answered_yes.fillna(False).astype(bool) & ~clicked,
        FALSE_NEGATIVE: (~answered_yes).fillna(False).astype(bool) & clicked,
        UNPARSED: answered_yes.isna(),
    }
    chosen = [
        (kind, int(row))
        for kind, rows in of_kind.items()
        for row in wrong_by[rows].sort_values(ascending=False, kind="stable").index[:num]
    ]
    shown = _rows(candidates, {row for _, row in chosen}, len(predictions))
    mistakes = []
    for kind, row in chosen:
        answer = {str(key): value for key, value in predictions.loc[row].items()}
        keys = [*KEYS, "label"]
        if [answer[key] for key in keys] != [shown[row][key] for key in keys]:
            raise UserError(
                f"{candidates}: row {row} differs from the predictions' row {row}; run dvc repro"
            )
        mistakes.append({"kind": kind, "score": answer["score"], "text": answer["text"]})
        mistakes[-1] |= shown[row]
    return mistakes


def _rows(candidates: Path, wanted: set[int], num_rows: int) -> dict[int, dict[str, object]]:
    """The wanted rows of an evaluation set, by row number."""
    file = pq.ParquetFile(candidates)
    if file.metadata.num_rows != num_rows:
        raise UserError(
            f"{candidates}: {file.metadata.num_rows} rows, but {num_rows} predictions; "
            "run dvc repro"
        )
    found: dict[int, dict[str, object]] = {}
    start = 0
    for batch in file.iter_batches(_BATCH_ROWS, columns=[*KEYS, "label", *_SHOWN]):
        inside = [row for row in sorted(wanted) if start <= row < start + batch.num_rows]
        for row in inside:
            found[row] = batch.slice(row - start, 1).to_pylist()[0]
        start += batch.num_rows
    return found
