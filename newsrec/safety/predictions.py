"""The predictions of a model: what it answered, joined to the rows that it was asked about.

Apart from `predictors`, which reads every table with what it is measured by: a metric that changes
scores nothing again.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import softmax

from newsrec.errors import UserError
from newsrec.files import atomic_file
from newsrec.safety.labels import CLASSES
from newsrec.safety.tables import PROBABILITIES

_KEPT = ("id", "trick", "label", "cluster")  # a trick is of evasion rows alone


def write_predictions(
    rows: Path, answers: Path, column: str, start: int, target: Path
) -> npt.NDArray[np.float64]:
    """Join what a model answered to a table of rows and write its predictions.

    Args:
        rows: Parquet file of prepared rows.
        answers: Parquet file of a list for each row: logits or log-probabilities of the classes, in
            their order.
        column: of `answers`.
        start: where the answers to these rows begin.
        target: the table to write: id, label, cluster, of evasion rows the trick, and p0 to p5, the
            softmax of what was answered.

    Returns:
        What was answered, shape (rows, classes).

    Raises:
        UserError: a row has no answer, or one that is not a number.
    """
    table = pq.ParquetFile(rows)
    kept = table.read([name for name in _KEPT if name in table.schema_arrow.names])
    answered = pq.read_table(answers, columns=[column])[column].slice(start, len(kept))
    if len(answered) < len(kept):
        raise UserError(f"{rows}: {len(kept)} rows but {len(answered)} answers; score again")
    for place, one in enumerate(answered.to_pylist()):
        if one is None:
            raise UserError(
                f"{rows}: row {kept['id'][place]} has no token to read, so no class; expected a "
                "visible character in each text; make the rows again with: dvc repro prepare"
            )
    numbers = np.array(answered.to_pylist(), np.float64).reshape(len(kept), len(CLASSES))
    if not np.isfinite(numbers).all():
        place = int(np.argmin(np.isfinite(numbers).all(axis=1)))
        raise UserError(
            f"{rows}: the model's answer to row {kept['id'][place]} is not a number; set "
            "score.dtype to float32 or bfloat16, or train again with a lower train.lr"
        )
    shares = softmax(numbers, axis=1)
    for name, share in zip(PROBABILITIES, shares.T, strict=True):
        kept = kept.append_column(name, pa.array(share, pa.float64()))
    with atomic_file(target) as draft:
        pq.write_table(kept, draft)
    return numbers
