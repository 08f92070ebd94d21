"""The lists whose target's rank changed most in training, with the titles of their products."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from newsrec.ranker.evaluation.tables import load_lists, load_scores
from newsrec.ranker.lists import Item, Row, read_items, read_lists
from newsrec.report.text import shortened

Floats = npt.NDArray[np.float64]
Example = dict[str, Any]

TITLE_WIDTH = 90  # columns to which a title is shortened
NUM_SHOWN = 4  # the number of best candidates shown
KINDS = {
    "higher after training": "No target moved up.",
    "lower after training": "No target moved down.",
}


def moved_most(
    processed: Path, predictions: Path, before: str, after: str, num: int
) -> list[tuple[str, list[Example], str]]:
    """For each kind: its name, up to `num` lists, and the text to show if there are none.

    Args:
        processed: folder of the prepared lists and items.
        predictions: folder of the systems' scores for the test lists.
        before: the system that training began with.
        after: the system after training.
        num: maximum number of lists of each kind.

    Raises:
        UserError: a file is missing, damaged or belongs to other lists.
    """
    lists, items = load_lists(processed), read_items(processed / "items.parquet")
    scores = {name: load_scores(predictions / f"{name}.parquet", lists) for name in (before, after)}
    ranks = {name: target_ranks(of, lists.target) for name, of in scores.items()}
    places = chosen(ranks[before], ranks[after], num)
    wanted = {place for of_kind in places for place in of_kind}
    shown = {
        place: example(
            row,
            items,
            float(ranks[before][place]),
            float(ranks[after][place]),
            scores[after][place],
        )
        for place, row in enumerate(read_lists(processed / "test.parquet"))
        if place in wanted
    }
    return [
        (kind, [shown[place] for place in of_kind], empty)
        for (kind, empty), of_kind in zip(KINDS.items(), places, strict=True)
    ]


def target_ranks(scores: Floats, target: npt.NDArray[np.int64]) -> Floats:
    """The rank of each target, from 1; tied candidates share the mean rank; shape (lists,)."""
    of_target = scores[np.arange(len(scores)), target][:, None]
    ranks: Floats = (scores > of_target).sum(axis=1) + ((scores == of_target).sum(axis=1) + 1) / 2
    return ranks


def chosen(before: Floats, after: Floats, num: int) -> list[list[int]]:
    """For each of `KINDS`, the positions of up to `num` lists, largest changes first.

    Args:
        before: ranks of the targets before training, shape (lists,).
        after: the same after training.
        num: maximum number of lists of each kind.
    """
    moved = after - before
    return [
        [
            int(place)
            for place in np.argsort(sign * moved, kind="stable")[:num]
            if sign * moved[place] < 0
        ]
        for sign in (1, -1)
    ]


def example(
    row: Row, items: Mapping[str, Item], before: float, after: float, scores: Sequence[float]
) -> Example:
    """The values that the report shows for one list.

    Args:
        row: a row of `LISTS_SCHEMA`.
        items: all items that the row refers to, by id.
        before: rank of the target before training.
        after: rank of the target after training.
        scores: the scores of the candidates after training.
    """
    order = sorted(range(len(scores)), key=lambda place: -scores[place])

    def title(item: str) -> str:
        return shortened(items[item]["title"], TITLE_WIDTH)

    return {
        "id": row["id"],
        "target": title(row["target"]),
        "before": before,
        "after": after,
        "history": [title(event["item"]) for event in row["history"]],
        "best": [
            (title(row["candidates"][place]), row["candidates"][place] == row["target"])
            for place in order[:NUM_SHOWN]
        ],
    }
