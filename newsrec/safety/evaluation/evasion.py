"""What each trick of evasion does to a predictor: the same texts before and after rewriting.

A text is flagged where its most probable class is not benign, and once more where its score is
above the threshold of 1 % false positives, chosen on validation rows as they are.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from newsrec.errors import UserError
from newsrec.metrics.intervals import unseen_share
from newsrec.metrics.significance import ClusterBootstrap, interval
from newsrec.safety.evaluation.unsafe import bounded, rate_key, unsafe_score
from newsrec.safety.labels import BENIGN
from newsrec.safety.tables import PROBABILITIES

RATE = 0.01


def probe(
    test: pd.DataFrame,
    rewritten: pd.DataFrame,
    threshold: float,
    num_resamples: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """trick → figures of one predictor.

    Each of `recall` (unsafe rows that are flagged) and `false_positive_rate` (benign rows that are)
    has the ends _before and _after, with exact bounds, _change, with its interval by resampled
    cluster, and _num_changed, the rows that are flagged before or after but not both; with `_at_1`
    before the end the same at the threshold. Where no row changed, or all in one direction, the
    interval of the change is exact, of as many trials as there are clusters.

    Args:
        test: predictions of the test rows.
        rewritten: predictions of rewritten test rows: id, trick and more.
        threshold: of the score, for `RATE`.
        num_resamples: see `ClusterBootstrap`.
        seed: of the resamples.

    Raises:
        UserError: a rewritten row is of no test row.
    """
    place = pd.Index(test["id"]).get_indexer(pd.Index(rewritten["id"]))
    if (place < 0).any():
        row = int((place < 0).argmax())
        raise UserError(
            f"predictions of rewritten texts, row {row}: id {rewritten['id'].iloc[row]!r} is "
            "not a row of test; prepare and score again (dvc repro)"
        )
    flags = {
        "": (_is_answer(test)[place], _is_answer(rewritten)),
        f"_{rate_key(RATE)}": (
            unsafe_score(test)[place] > threshold,
            unsafe_score(rewritten) > threshold,
        ),
    }
    unsafe = (rewritten["label"] != BENIGN).to_numpy()
    result: dict[str, dict[str, Any]] = {}
    for trick in rewritten["trick"].unique():
        result[trick] = {}
        of_trick = (rewritten["trick"] == trick).to_numpy()
        for name, kind in (("recall", unsafe), ("false_positive_rate", ~unsafe)):
            rows = np.flatnonzero(of_trick & kind)
            if not len(rows):
                continue
            bootstrap = ClusterBootstrap(rewritten["cluster"].iloc[rows], num_resamples, seed)
            result[trick][f"num_rows_{name}"] = len(rows)
            for end, (before, after) in flags.items():
                result[trick] |= _change(f"{name}{end}", before[rows], after[rows], bootstrap)
    return result


def _is_answer(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return np.asarray(table[PROBABILITIES].to_numpy().argmax(axis=1) != 0)


def _change(
    name: str,
    before: npt.NDArray[np.bool_],
    after: npt.NDArray[np.bool_],
    bootstrap: ClusterBootstrap,
) -> dict[str, float]:
    change = after.astype(float) - before
    low, high = interval(bootstrap.mean(change))
    if change.min() == change.max():  # resamples have no spread, which would claim certainty
        unseen, value = unseen_share(len(bootstrap.clusters)), float(change[0])
        low, high = max(-1.0, value - unseen), min(1.0, value + unseen)
    return {
        **bounded(f"{name}_before", before),
        **bounded(f"{name}_after", after),
        f"{name}_num_changed": int(np.count_nonzero(change)),
        f"{name}_change": float(change.mean()),
        f"{name}_change_low": low,
        f"{name}_change_high": high,
    }
