"""How many impressions show a difference in mean AUC, and what those at hand show."""

from collections.abc import Sequence
from pathlib import Path

from newsrec.errors import UserError
from newsrec.metrics.power import power_sentence
from newsrec.metrics.ranking import group_auc
from newsrec.news.predictions import read_predictions

_COLUMNS = ["impression_id", "user_id", "label", "score"]


def power(delta: float, sources: Sequence[Path]) -> str:
    """How many impressions a difference takes, and the smallest that these could show.

    Args:
        delta: the difference in mean AUC, between 0 and 1, such as 0.01.
        sources: one or two predictions tables, Parquet; with one, the difference of its AUC from
            chance, 0.5.

    Returns:
        One sentence.

    Raises:
        UserError: delta or the number of tables is out of range, a file is missing or no
            predictions table, the two have other rows, or nothing varies or fewer than two users
            are left to plan with.
    """
    if not 0 < delta < 1 or not 1 <= len(sources) <= 2:
        raise UserError(
            f"delta {delta}, {len(sources)} files; expected 0 < delta < 1, 1 or 2 files"
        )
    tables, aucs = [], []
    for source in sources:
        tables.append(table := read_predictions(source, _COLUMNS))
        aucs.append(group_auc(table["impression_id"], table["label"], table["score"]))
    if not tables[0][_COLUMNS[:3]].equals(tables[-1][_COLUMNS[:3]]):
        raise UserError(f"{sources[1]}: other rows than {sources[0]}; score both again (dvc repro)")
    gains = aucs[1] - aucs[0] if len(sources) == 2 else aucs[0] - 0.5
    users = tables[0].drop_duplicates("impression_id")["user_id"].to_numpy()
    one, other, *_ = [*(source.stem for source in sources), "chance (0.5)"]
    try:
        return power_sentence(
            gains,
            users,
            delta,
            metric="mean AUC",
            names=(one, other),
            groups="impressions",
            clusters="users",
        )
    except ValueError as error:
        raise UserError(f"{sources[-1]}: {error}") from None
