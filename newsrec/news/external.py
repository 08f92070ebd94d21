"""External predictions, made by any model and read from files as they come."""

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from newsrec.errors import UserError
from newsrec.news.leaderboard.submission import read_prediction_txt
from newsrec.news.predictions import read_predictions


def read_external(
    folder: Path, candidates: pd.DataFrame, behaviors: Path, taken: Collection[str]
) -> tuple[dict[str, pd.DataFrame], set[str]]:
    """The predictions tables of the files in `folder`, by the names of the files.

    Returns:
        The tables, and the names of those whose scores are no probabilities: ranks, and anything
        outside 0 to 1. They only order candidates.

    Args:
        folder: holds NAME.parquet (our predictions table) or NAME.txt (the leaderboard's ranks).
        candidates: the evaluation set.
        behaviors: of the test split, which gives the order of the lines of a NAME.txt.
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
        known = {*taken, *tables, "protocol"}
        if not re.fullmatch(r"(?!tuned_vs_)[A-Za-z0-9_-]+", name) or name in known:
            raise UserError(
                f"{path}: cannot become the predictor {name!r}; expected letters, digits, - and _, "
                f"other than {', '.join(sorted(known))}; rename the file"
            )
        if path.suffix == ".parquet":
            tables[name] = read_predictions(path)
        else:
            tables[name] = read_prediction_txt(path, candidates, behaviors)
    no_probabilities = {
        name
        for name, table in tables.items()
        if (folder / f"{name}.txt").exists() or not table["score"].between(0, 1).all()
    }
    return tables, no_probabilities
