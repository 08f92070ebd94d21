"""The learning curves of all methods in one table."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from newsrec.errors import UserError


def read_curves(plots: Path, methods: Iterable[str]) -> pd.DataFrame:
    """The curves of rl_METHOD.tsv below each other, with `method` as the first column.

    Args:
        plots: folder of the curves.
        methods: those of this run; one without a file is left out.

    Raises:
        UserError: two files have other columns.
    """
    tables = {
        method: pd.read_csv(plots / f"rl_{method}.tsv", sep="\t")
        for method in methods
        if (plots / f"rl_{method}.tsv").is_file()
    }
    columns = {method: list(table.columns) for method, table in tables.items()}
    for method, found in columns.items():
        if found != (expected := next(iter(columns.values()))):
            raise UserError(
                f"{plots}/rl_{method}.tsv has the columns {found}; expected {expected}, as the "
                "others; train it again: dvc repro"
            )
    parts = [table.assign(method=method) for method, table in tables.items()]
    if not parts:
        return pd.DataFrame({"method": []})
    joined = pd.concat(parts, ignore_index=True)
    return joined[["method", *next(iter(columns.values()))]]
