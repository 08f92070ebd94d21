"""The label audit: training rows whose label looks wrong.

A row is suspect where a predictor that was not fitted on it, nor on a near copy of it, gives its
label less than a chosen probability: cleanlab's label quality score by self-confidence (Northcutt
et al., 2021). The filters of confident learning, which set that limit by themselves, found two
thirds of what was planted in the made-up corpus (docs/LOG.md).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from newsrec.errors import UserError
from newsrec.report.text import shortened
from newsrec.safety.labels import CLASSES
from newsrec.safety.predictors import codes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

METHOD = "a logistic regression on the states that the tuned model's head reads"
NUM_FOLDS = 5
# Of the regression; higher follows single rows, and with them their wrong labels.
C = 0.01
TEXT_WIDTH = 200  # columns of a text that are shown


def out_of_fold(
    states: npt.NDArray[np.float32], label: Ints, cluster: npt.ArrayLike, seed: int
) -> Floats:
    """Probabilities of each row's classes by a regression fitted on other clusters' rows.

    Args:
        states: of each row's text, shape (rows, width).
        label: the place of each row in `CLASSES`, shape (rows,).
        cluster: rows of one cluster are in one fold, shape (rows,).
        seed: of the folds.

    Returns:
        Shape (rows, classes); 0 for a class without rows in the other folds.

    Raises:
        UserError: too few rows to leave out a fifth of the clusters.
    """
    num_rarest = int(np.bincount(label)[np.unique(label)].min())
    if len(np.unique(cluster)) < NUM_FOLDS or len(np.unique(label)) < 2 or num_rarest < NUM_FOLDS:
        raise UserError(
            f"training rows: {len(label):,} of {len(np.unique(label))} classes, the rarest of "
            f"which has {num_rarest}; expected two classes, and {NUM_FOLDS} rows of each, to audit "
            "their labels; extract more rows"
        )
    found = np.zeros((len(label), len(CLASSES)))
    folds = StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    for inside, outside in folds.split(states, label, np.asarray(cluster)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
        model.fit(states[inside], label[inside])
        found[np.ix_(outside, model.classes_)] = model.predict_proba(states[outside])
    return found


def audit(rows: pd.DataFrame, probability: Floats, below: float) -> pd.DataFrame:
    """The suspect rows, the least plausible label first.

    Args:
        rows: id and label, shape (rows,).
        probability: of each class without the row itself, shape (rows, classes).
        below: the probability of its label that a row is suspect below, and of another class above.

    Returns:
        id, label, suggested (the most probable other class) and quality (the label's probability:
        from 0, surely wrong, to 1).
    """
    from cleanlab.rank import get_label_quality_scores  # takes seconds to import

    label = codes(rows["label"])
    # cleanlab counts classes by the labels that occur.
    present, place = np.unique(label, return_inverse=True)
    kept = probability[:, present]
    kept = kept / kept.sum(axis=1, keepdims=True)
    quality = get_label_quality_scores(place, kept, method="self_confidence")
    others = kept.copy()
    others[np.arange(len(place)), place] = -1
    suspect = (quality < below) & (quality < others.max(axis=1))
    table = pd.DataFrame(
        {
            "id": rows["id"].to_numpy(),
            "label": rows["label"].to_numpy(),
            "suggested": np.array(CLASSES)[present[others.argmax(axis=1)]],
            "quality": quality,
        }
    )
    found: pd.DataFrame = table[suspect].sort_values("quality", kind="stable")
    return found.reset_index(drop=True)


def counts(rows: pd.DataFrame, audited: pd.DataFrame) -> dict[str, Any]:
    """How many rows were looked at and how many are suspect, in all and by label.

    Args:
        rows: all, with their label.
        audited: what `audit` returns.
    """
    of_label = audited["label"].value_counts()
    return {
        "num_rows": len(rows),
        "num_suspect": len(audited),
        "suspect_share": len(audited) / len(rows),
        "num_suspect_of": {name: int(of_label.get(name, 0)) for name in CLASSES},
    }


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
