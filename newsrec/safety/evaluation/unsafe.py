"""The question "unsafe or not": thresholds for an allowed rate of false positives.

The score of a text is the probability that it is not benign. A threshold is chosen on validation
rows and measured on test rows, so that what it keeps is a finding and not an arrangement. Bounds
are exact (Clopper and Pearson): they take rows as independent and the thresholds as given.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from newsrec.errors import UserError
from newsrec.metrics.rates import (
    exact_rate,
    precision_at_share,
    threshold_at,
    trials_to_prove,
    upper_bound,
)
from newsrec.safety.labels import BENIGN, CLASSES

# Allowed shares of benign texts that are flagged: of the headline, and of the planner.
HEADLINE_RATES = (0.01, 0.02, 0.05)
RATES = (0.001, 0.002, 0.005, *HEADLINE_RATES, 0.1)


def rate_key(rate: float) -> str:
    """The end of the keys of figures at an allowed rate, in percent: `at_1` for 0.01."""
    return f"at_{100 * rate:g}"


def unsafe_score(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """1 - p(benign) of each row of a predictions table, shape (rows,)."""
    others = [f"p{place}" for place in range(1, len(CLASSES))]
    # Their sum, not the difference from 1, which has no digits left below 1e-16.
    return np.asarray(table[others].to_numpy(dtype=np.float64).sum(axis=1).clip(max=1))


def choose_thresholds(val: pd.DataFrame) -> dict[float, float]:
    """For each allowed rate the threshold that keeps it on the validation rows; see `threshold_at`.

    Args:
        val: predictions table of the validation rows.
    """
    benign = (val["label"] == BENIGN).to_numpy()
    scores = unsafe_score(val)[benign]
    return {rate: threshold_at(scores, rate) for rate in RATES}


def measure_thresholds(
    test: pd.DataFrame, val: pd.DataFrame, benign_share: float
) -> dict[str, dict[str, Any]]:
    """By `rate_key` what each threshold of `choose_thresholds` does on the test rows.

    Args:
        test: predictions table of the test rows.
        val: the same of the validation rows, which the thresholds are chosen on.
        benign_share: of benign texts where the classifier is used.

    Returns:
        Of each: rate, threshold, `num_val_benign` (the validation rows that it was chosen on),
        false_positive_rate and recall with bounds, their counts, `recall_of` each unsafe class with
        bounds, precision where the share of benign texts is that, from the bounds of both, the
        one-sided 95 % upper bound of the rate of false positives, and how many benign rows prove
        the allowed rate: `rows_to_prove` without a false positive,
        `rows_to_prove_with_as_many_found` with as many as these rows have.
    """
    num_val_benign = int((val["label"] == BENIGN).sum())
    label, score = test["label"].to_numpy(), unsafe_score(test)
    benign = label == BENIGN
    num_benign = int(benign.sum())
    found = {}
    for rate, threshold in choose_thresholds(val).items():
        flagged = score > threshold
        num_wrong = int(flagged[benign].sum())
        figures: dict[str, Any] = {"rate": rate, "threshold": threshold}
        figures["num_val_benign"] = num_val_benign
        figures |= bounded("false_positive_rate", flagged[benign])
        figures |= bounded("recall", flagged[~benign])
        figures["num_false_positives"], figures["num_benign"] = num_wrong, num_benign
        figures["false_positive_rate_upper"] = upper_bound(num_wrong, num_benign)
        figures["rows_to_prove"] = trials_to_prove(rate)
        figures["rows_to_prove_with_as_many_found"] = trials_to_prove(rate, num_events=num_wrong)
        # The bounds take the worse, or better, end of both: never too narrow.
        for end, other in (("", ""), ("_low", "_high"), ("_high", "_low")):
            recall, wrong = figures[f"recall{end}"], figures[f"false_positive_rate{other}"]
            precision = precision_at_share(recall, wrong, 1 - benign_share)
            figures[f"precision_at_real_share{end}"] = float(precision)
        figures["recall_of"] = {
            name: {
                "num_rows": int((label == name).sum()),
                **bounded("recall", flagged[label == name]),
            }
            for name in CLASSES[1:]
            if (label == name).any()
        }
        found[rate_key(rate)] = figures
    return found


def bounded(name: str, happened: npt.NDArray[np.bool_]) -> dict[str, float]:
    """A share of rows and its exact bounds, as NAME, NAME_low and NAME_high.

    Args:
        name: of the figure.
        happened: in each row, shape (rows,), one row or more.
    """
    share = exact_rate(int(happened.sum()), len(happened))
    return {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}


def require_both(rows: pd.DataFrame, name: str) -> None:
    """Refuse a set without benign or without unsafe rows.

    Raises:
        UserError: so.
    """
    num_benign = int((rows["label"] == BENIGN).sum())
    if not 0 < num_benign < len(rows):
        raise UserError(
            f"{name}: {num_benign:,} of {len(rows):,} rows are {BENIGN}; expected some that are "
            "and some that are not, as thresholds are chosen and measured on both; extract again "
            f"with other quotas for {name}"
        )
