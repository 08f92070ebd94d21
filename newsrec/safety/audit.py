"""The label audit: training rows whose label looks wrong.

Confident learning (Northcutt et al., 2021) as cleanlab does it: a row is suspect where a predictor
that has not seen it, nor a near copy of it, finds another class more plausible than the label, by
more than that class's own rows warrant.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedGroupKFold

from newsrec.errors import UserError
from newsrec.report.text import shortened
from newsrec.safety.labels import CLASSES
from newsrec.safety.predictors import codes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NUM_FOLDS = 5
FILTER = "prune_by_noise_rate"
TEXT_WIDTH = 200  # columns of a text that are shown


def out_of_fold(
    model: BaseEstimator, features: Any, label: Ints, cluster: npt.ArrayLike, seed: int
) -> Floats:
    """Probabilities of each row's classes by a model fitted on other clusters' rows.

    Args:
        model: fits and predicts probabilities; is not changed.
        features: what it takes, with `shape[0]` rows.
        label: the place of each row in `CLASSES`, shape (rows,).
        cluster: rows of one cluster are in one fold, shape (rows,).
        seed: of the folds.

    Returns:
        Shape (rows, classes); 0 for a class without rows in the other folds.

    Raises:
        UserError: fewer clusters than folds.
    """
    num_clusters = len(np.unique(cluster))
    if num_clusters < NUM_FOLDS:
        raise UserError(
            f"training rows: {num_clusters} clusters; expected {NUM_FOLDS} or more to audit their "
            "labels; extract more rows"
        )
    found = np.zeros((len(label), len(CLASSES)))
    folds = StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    for inside, outside in folds.split(np.zeros(len(label)), label, cluster):
        fitted = clone(model).fit(features[inside], label[inside])
        found[np.ix_(outside, fitted.classes_)] = fitted.predict_proba(features[outside])
    return found


def audit(rows: pd.DataFrame, probability: Floats) -> pd.DataFrame:
    """The suspect rows, the least plausible label first.

    Args:
        rows: id and label, shape (rows,).
        probability: of each class without the row itself, shape (rows, classes).

    Returns:
        id, label, suggested (the most probable other class) and quality (from 0, surely wrong, to
        1: the label's probability).
    """
    label = codes(rows["label"])
    present = np.unique(label)
    place = np.searchsorted(present, label)
    # cleanlab counts classes by the labels that occur.
    kept = probability[:, present] + 1e-12
    kept /= kept.sum(axis=1, keepdims=True)
    suspect = find_label_issues(place, kept, filter_by=FILTER, n_jobs=1)
    quality = get_label_quality_scores(place, kept, method="self_confidence")
    others = kept.copy()
    others[np.arange(len(place)), place] = -1
    table = pd.DataFrame(
        {
            "id": rows["id"].to_numpy(),
            "label": rows["label"].to_numpy(),
            "suggested": np.array(CLASSES)[present[others.argmax(axis=1)]],
            "quality": quality,
        }
    )
    found: pd.DataFrame = (
        table[suspect].sort_values("quality", kind="stable").reset_index(drop=True)
    )
    return found


def most_suspect(
    audited: pd.DataFrame, texts: pd.DataFrame, num: int
) -> Sequence[Mapping[str, Any]]:
    """The first rows of an audit with their texts, cut to what a table can show.

    Args:
        audited: what `audit` returns.
        texts: of all rows: id and text.
        num: at most.
    """
    text_of = texts.set_index("id")["text"]
    shown = audited.head(num)
    cut = [shortened(text_of[one], TEXT_WIDTH) for one in shown["id"]]
    return [
        {str(key): value for key, value in row.items()}
        for row in shown.assign(text=cut).to_dict("records")
    ]
