"""Lists that training moved most, for better and for worse, with their products' titles."""

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

TITLE_WIDTH = 90  # columns of a title that are shown
NUM_SHOWN = 4  # candidates, the best ones, beside the target
KINDS = {
    "higher after training": "No target moved up.",
    "lower after training": "No target moved down.",
}


def moved_most(
    processed: Path, predictions: Path, before: str, after: str, num: int
) -> list[tuple[str, list[Example], str]]:
    """Of each kind its name, up to `num` lists, and what to say where there is none.

    Args:
        processed: folder of the prepared lists and items.
        predictions: folder of the systems' scores of the test lists.
        before: the system that training began with.
        after: what came of it.
        num: of each kind at most.

    Raises:
        UserError: a file is missing or damaged, or of other lists.
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
    """The rank of each target, from 1, the mean of those that tie; shape (lists,)."""
    of_target = scores[np.arange(len(scores)), target][:, None]
    ranks: Floats = (scores > of_target).sum(axis=1) + ((scores == of_target).sum(axis=1) + 1) / 2
    return ranks


def chosen(before: Floats, after: Floats, num: int) -> list[list[int]]:
    """For each of `KINDS` the places of up to `num` lists, those that moved most first.

    Args:
        before: ranks of the targets, shape (lists,).
        after: likewise.
        num: of each kind at most.
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
    """What is shown of a list.

    Args:
        row: of `LISTS_SCHEMA`.
        items: all that it names, by id.
        before: rank of the target before training.
        after: and after it.
        scores: of its candidates after training.
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
