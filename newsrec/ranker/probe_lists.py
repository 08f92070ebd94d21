"""Lists for probes: the same candidates, with another history in the prompt or none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.errors import UserError, unknown_choice
from newsrec.files import atomic_file
from newsrec.ranker.lists import Row, read_lists
from newsrec.ranker.tables import LISTS_SCHEMA


def write_probe(lists: Path, probe: str, target: Path, num: int | None, seed: int) -> None:
    """Write the lists of a probe: the same ids and candidates, of all lists or of some.

    Args:
        lists: file of `LISTS_SCHEMA`.
        probe: `wrong_history` shows another user's history, `candidate_alone` none.
        target: file to write.
        num: lists to draw, the same ones for each probe; None: all of them.
        seed: of the draw.

    Raises:
        UserError: there is no probe of that name, or all lists are of one user.
    """
    if probe not in _PROBES:
        raise unknown_choice("the probe", probe, _PROBES)
    rows = _PROBES[probe](list(read_lists(lists)), lists)
    if num is not None and num < len(rows):
        chosen = np.random.default_rng(seed).choice(len(rows), num, replace=False)
        rows = [rows[place] for place in sorted(chosen)]
    with atomic_file(target) as draft:
        pq.write_table(pa.Table.from_pylist(rows, schema=LISTS_SCHEMA), draft)


def _wrong_history(rows: list[Row], source: Path) -> list[Row]:
    """Each with the history of a list half the table further on, or of the next other user's."""
    found, half = list[Row](), len(rows) // 2
    for place, row in enumerate(rows):
        further = (rows[(place + half + step) % len(rows)] for step in range(len(rows)))
        other = next((one for one in further if one["user"] != row["user"]), None)
        if other is None:
            raise UserError(f"{source}: all lists are of one user; expected others, for histories")
        # The other moment too, so that ages stay as they were.
        found.append({**row, "history": other["history"], "timestamp": other["timestamp"]})
    return found


def _candidate_alone(rows: list[Row], source: Path) -> list[Row]:
    return [{**row, "history": []} for row in rows]


_PROBES: dict[str, Callable[[list[Row], Path], list[Row]]] = {
    "wrong_history": _wrong_history,
    "candidate_alone": _candidate_alone,
}
