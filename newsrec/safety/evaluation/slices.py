"""How often a predictor is right in parts of the test set, and where it flags benign texts."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from newsrec.metrics.intervals import share_interval
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.safety.evaluation.unsafe import bounded
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.predictors import codes
from newsrec.safety.spelling import has_traditional, is_evasive
from newsrec.safety.tables import PROBABILITIES

_LENGTHS = {20: "1 to 20", 50: "21 to 50", 100: "51 to 100", 200: "101 to 200"}
_LONGER = "201 or more"
KNOWN_WORDS, NEW_WORDS = "all labelled", "never labelled"


def slices_of(
    rows: pd.DataFrame, trained_on: Iterable[str]
) -> dict[str, dict[str, npt.NDArray[np.bool_]]]:
    """heading → slice → which rows are in it, shape (rows,).

    The headings are class, length (characters of the normalised text), wording (whether it has a
    word that no training text has, see `_has_new_word`; a misspelt word is one), spelling (of the
    raw text, see `newsrec.safety.spelling`) and tag (whatever tags the source gave the rows).

    Args:
        rows: of the test: label, text, normalised and tags.
        trained_on: the normalised texts of the training rows.
    """
    known = {pair for text in trained_on for pair in pairwise(text)}
    is_new = np.array([_has_new_word(text, known) for text in rows["normalised"]], bool)
    lengths = rows["normalised"].str.len().to_numpy()
    traditional = np.array([has_traditional(text) for text in rows["text"]], bool)
    evasive = np.array([is_evasive(text) for text in rows["text"]], bool)
    tags = [set(found) for found in rows["tags"]]
    return {
        "class": {
            name: found for name in CLASSES if (found := (rows["label"] == name).to_numpy()).any()
        },
        "length": {
            name: (lengths > low) & (lengths <= high)
            for (low, high), name in zip(
                pairwise([0, *_LENGTHS, np.inf]), [*_LENGTHS.values(), _LONGER], strict=True
            )
        },
        "wording": {KNOWN_WORDS: ~is_new, NEW_WORDS: is_new},
        "spelling": {
            "ordinary": ~traditional & ~evasive,
            "traditional": traditional,
            "evasive": evasive,
        },
        "tag": {
            name: np.array([name in found for found in tags]) for name in sorted(set().union(*tags))
        },
    }


def _has_new_word(text: str, known: set[tuple[str, str]]) -> bool:
    """Whether a character makes pairs with both its neighbours that no training text has.

    Chinese has no spaces to find words by. Where two known words meet for the first time one pair
    is new; a word that is new makes several in a row. Of the made-up corpus this finds every text
    with a word that was never labelled, and hardly another one (docs/LOG.md).
    """
    are_new = [pair not in known for pair in pairwise(text)]
    if len(are_new) == 1:
        return are_new[0]
    return any(one and other for one, other in pairwise(are_new))


def measure_slices(
    tables: Mapping[str, pd.DataFrame],
    slices: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]],
    bootstrap: ClusterBootstrap,
) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """heading → slice → predictor → figures.

    accuracy has its interval as low and high, by `newsrec.metrics.intervals.share_interval`; the
    share of benign rows that are given another class, and of unsafe rows that are, has exact
    bounds. A slice of fewer than two clusters is left out: it has no interval.

    Args:
        tables: of each predictor the predictions of the test rows.
        slices: of `slices_of`.
        bootstrap: over the clusters of the test rows.
    """
    result: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for heading, parts in slices.items():
        result[heading] = {}
        for name, inside in parts.items():
            rows = np.flatnonzero(inside)
            clusters = next(iter(tables.values()))["cluster"].to_numpy()[rows]
            if len(np.unique(clusters)) < 2:
                continue
            result[heading][name] = {
                predictor: _figures(table.iloc[rows], bootstrap.of(rows))
                for predictor, table in tables.items()
            }
    return result


def _figures(table: pd.DataFrame, bootstrap: ClusterBootstrap) -> dict[str, Any]:
    predicted = table[PROBABILITIES].to_numpy().argmax(axis=1)
    right = predicted == codes(table["label"])
    low, high = share_interval(right, bootstrap.mean(right), table["cluster"].nunique())
    benign = (table["label"] == BENIGN).to_numpy()
    found = {"accuracy": float(right.mean()), "accuracy_low": low, "accuracy_high": high}
    found["num_rows"] = len(table)
    if benign.any():
        found |= bounded("false_positive_rate", (predicted != 0)[benign])
        found["num_benign"] = int(benign.sum())
    if not benign.all():
        found |= bounded("unsafe_recall", (predicted != 0)[~benign])
        found["num_unsafe"] = int((~benign).sum())
    return found
