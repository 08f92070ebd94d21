"""The predictions of a system that reads the reference JSON, with the digest of its lists."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.files import atomic_file
from newsrec.ranker.tables import PREDICTIONS_SCHEMA


def write_predictions(
    rows: Sequence[Mapping[str, Any]],
    scores: Sequence[Sequence[float]],
    digest: str,
    target: Path,
) -> None:
    """Write what each candidate of each list got; the table names the lists by their digest.

    Args:
        rows: of `LISTS_SCHEMA`.
        scores: of each list, in the order of its candidates.
        digest: of the lists.
        target: Parquet.
    """
    columns = {
        "id": [row["id"] for row in rows for _ in row["candidates"]],
        "item": [item for row in rows for item in row["candidates"]],
        "score": [float(score) for of_list in scores for score in of_list],
    }
    table = pa.table(columns, schema=PREDICTIONS_SCHEMA)
    with atomic_file(target) as draft:
        pq.write_table(table.replace_schema_metadata({"lists": digest}), draft)
