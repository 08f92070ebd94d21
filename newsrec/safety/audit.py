"""The label audit: training rows whose label looks wrong.

A row is suspect where predictors that were not fitted on it, nor on a near copy of it, give its
label a probability below `SUSPECT_BELOW`: cleanlab's label quality by self-confidence (Kuan and
Mueller, 2022). Two predictors of unlike faults are combined, one on what the tuned model makes of a
text and one on its characters: what both find implausible is seldom the mistake of one.

Measured on 5,000 rows of the synthetic corpus with 3 % of wrong labels, by a model whose macro-F1
on clean rows was 0.92: precision and recall were 0.79 and 0.91 together, 0.83 and 0.84 by the
states alone, 0.52 and 0.81 by the characters alone; cleanlab's own estimate of how many labels are
wrong was too low (0.79 and 0.81).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from cleanlab.rank import get_label_quality_scores
from scipy.special import softmax  # type: ignore[import-untyped, unused-ignore]
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.report.text import shortened
from newsrec.safety.baselines import CharTfidf
from newsrec.safety.labels import CLASSES
from newsrec.safety.predictors import codes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

METHOD = (
    "logistic regressions on the states that the tuned model's head reads and on character TF-IDF"
)
NUM_FOLDS = 5
STATES_C = 0.01  # higher follows single rows, and with them their wrong labels
TFIDF_WEIGHT = 0.4  # of its log-probabilities beside those by the states
SUSPECT_BELOW = 0.1
_FLOOR = 1e-9  # of a probability whose logarithm is taken
TEXT_WIDTH = 200  # columns of a text that are shown


def out_of_fold(
    states: npt.NDArray[np.float32],
    texts: Sequence[str],
    label: Ints,
    cluster: npt.ArrayLike,
    seed: int,
) -> Floats:
    """Probabilities of each row's classes by predictors fitted on other clusters' rows.

    Args:
        states: of each row's text, see `newsrec.engines.states`, shape (rows, width).
        texts: normalised, shape (rows,).
        label: the place of each row in `CLASSES`, shape (rows,).
        cluster: rows of one cluster are in one fold, shape (rows,).
        seed: of the folds.

    Returns:
        Shape (rows, classes); about 0 for a class without rows in the other folds.

    Raises:
        UserError: too few rows to leave out a fifth of the clusters.
    """
    num_rarest = int(np.bincount(label)[np.unique(label)].min())
    if len(np.unique(cluster)) < NUM_FOLDS or len(np.unique(label)) < 2 or num_rarest < NUM_FOLDS:
        raise UserError(
            f"training rows: {len(label):,} of {len(np.unique(label))} classes, the rarest with "
            f"{num_rarest}; expected two classes, and {NUM_FOLDS} rows of each, to audit their "
            "labels; extract more rows"
        )
    found = np.zeros((len(label), len(CLASSES)))
    folds = StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    places = list(folds.split(states, label, np.asarray(cluster)))
    for inside, outside in tqdm(places, desc="audit", unit="fold"):
        by_states = make_pipeline(StandardScaler(), LogisticRegression(C=STATES_C, max_iter=1000))
        by_states.fit(states[inside], label[inside])
        first = np.zeros((len(outside), len(CLASSES)))
        first[:, by_states.classes_] = by_states.predict_proba(states[outside])
        by_text = CharTfidf.fit([texts[row] for row in inside], label[inside])
        second = by_text.predict([texts[row] for row in outside])
        found[outside] = _combined(first, second)
    return found


def _combined(first: Floats, second: Floats) -> Floats:
    """The weighted geometric mean, in which a class needs both."""
    logs = np.log(first + _FLOOR) + TFIDF_WEIGHT * np.log(second + _FLOOR)
    return np.asarray(softmax(logs, axis=1))


def audit(rows: pd.DataFrame, probability: Floats) -> pd.DataFrame:
    """The suspect rows, the least plausible label first.

    Args:
        rows: id and label, shape (rows,).
        probability: of each class without the row itself, shape (rows, classes).

    Returns:
        id, label, suggested (the most probable other class) and quality (the label's probability:
        from 0, surely wrong, to `SUSPECT_BELOW`).
    """
    label = codes(rows["label"])
    # cleanlab counts classes by the labels that occur.
    present, place = np.unique(label, return_inverse=True)
    kept = probability[:, present]
    kept = kept / kept.sum(axis=1, keepdims=True)
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
    found: pd.DataFrame = table[quality < SUSPECT_BELOW].sort_values("quality", kind="stable")
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
