"""Predictions that a stranger's model made, read from files as they come."""

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from newsrec.errors import UserError
from newsrec.mind.submission import read_prediction_txt
from newsrec.predictions import read_predictions


def read_outside(
    folder: Path, candidates: pd.DataFrame, behaviors: Path, taken: Collection[str]
) -> dict[str, pd.DataFrame]:
    """The predictions tables of the files in `folder`, by the names of the files.

    Args:
        folder: holds NAME.parquet (our predictions table) or NAME.txt (the leaderboard's ranks).
        candidates: the evaluation set.
        behaviors: of the test split, in whose order the lines of a NAME.txt stand.
        taken: names that other predictors have.

    Raises:
        UserError: a name is taken or no plain word, or a file is not as it must be.
    """
    tables: dict[str, pd.DataFrame] = {}
    for path in sorted(folder.glob("*")):
        if path.suffix not in (".parquet", ".txt"):
            continue
        name = path.stem
        # It becomes a key of metrics, where a dot would be a level.
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name in taken or name in tables:
            raise UserError(
                f"{path}: cannot become the predictor {name!r}; expected letters, digits, - and _, "
                f"other than {', '.join(sorted({*taken, *tables}))}; rename the file"
            )
        if path.suffix == ".parquet":
            tables[name] = read_predictions(path)
        else:
            tables[name] = read_prediction_txt(path, candidates, behaviors)
    return tables
