"""A summary of a judge's replies: which model it prefers, and how consistent it is."""

from typing import Any

import pandas as pd

from newsrec.assistant.evaluation.systems import Figure
from newsrec.assistant.verdicts import verdict
from newsrec.errors import UserError
from newsrec.metrics.intervals import mean_interval, share_interval, unseen_share
from newsrec.metrics.significance import ClusterBootstrap

ORDERS = ("base_first", "tuned_first")


def judge_figures(
    judged: pd.DataFrame, rows: pd.DataFrame, num_resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """The judge's verdicts on the pairs of each task.

    Args:
        judged: of `newsrec.assistant.verdicts.JUDGED_SCHEMA`.
        rows: of the test split: id and cluster.
        num_resamples: of clusters, for intervals.
        seed: of the draws.

    Returns:
        For each task `num_pairs`; `num_same`, pairs of identical answers, which count as ties
        without being judged; `num_unparsed` and `num_unanswered`, replies that are not a letter and
        questions without a reply; `verdicts`, the number of pairs for which the judge prefers
        `tuned`, `base` or neither (`tie`) in both orders, changes its mind with the `order`, or
        gives `none` of these; `agreement`, the share of pairs with two verdicts where both agree;
        and `tuned_preferred`, the mean over pairs with verdicts of 1 for `tuned`, 0 for `base` and
        1/2 for `tie` and `order`. The last two have intervals, and are missing if no pair has
        verdicts.

    Raises:
        UserError: a pair belongs to no row of the test split.
    """
    cluster = judged["id"].map(rows.set_index("id")["cluster"])
    if cluster.isna().any():
        raise UserError(
            f"{cluster.isna().sum():,} judged pairs belong to rows that are not in the test split; "
            "ask the judge again: dvc repro judge"
        )
    found = {}
    for name, pairs in judged.groupby("task", sort=False):
        verdicts = [_verdicts(pair) for pair in pairs[["same", *ORDERS]].itertuples(index=False)]
        outcome = pd.Series([_outcome(*both) for both in verdicts], index=pairs.index)
        asked = pairs[~pairs["same"]]
        unanswered = int(asked[[*ORDERS]].isna().sum().sum())
        num_verdicts = sum(one is not None for both in verdicts for one in both)
        of_task: dict[str, Any] = {
            "num_pairs": len(pairs),
            "num_same": int(pairs["same"].sum()),
            "num_unparsed": 2 * len(pairs) - num_verdicts - unanswered,
            "num_unanswered": unanswered,
            "verdicts": {
                kind: int((outcome == kind).sum())
                for kind in ("tuned", "base", "tie", "order", "none")
            },
        }
        draws = (num_resamples, seed)
        decided = outcome[outcome != "none"]
        if len(agreed := decided[~pairs["same"]]):
            alike = (agreed != "order").astype(float)
            of_task["agreement"] = _mean(alike, cluster[agreed.index], *draws, share=True)
        if len(decided):
            worth = decided.map({"tuned": 1.0, "base": 0.0}).fillna(0.5)
            of_task["tuned_preferred"] = _mean(worth, cluster[worth.index], *draws, share=False)
        found[str(name)] = of_task
    return found


def _verdicts(pair: Any) -> tuple[str | None, str | None]:
    """The verdict in each order."""
    if pair.same:
        return "tie", "tie"
    return verdict(pair.base_first, first=0), verdict(pair.tuned_first, first=1)


def _outcome(one: str | None, other: str | None) -> str:
    if one is None or other is None:
        return "none"
    return one if one == other else "order"


def _mean(
    values: pd.Series, cluster: pd.Series, num_resamples: int, seed: int, *, share: bool
) -> Figure:
    drawn = ClusterBootstrap(cluster, num_resamples, seed).mean(values)
    if share or set(values) <= {0.0, 1.0}:
        low, high = share_interval(values, drawn, cluster.nunique())
    else:
        unseen = unseen_share(cluster.nunique())
        low, high = mean_interval(float(values.mean()), drawn, (0.0, 1.0), unseen)
    return {"value": float(values.mean()), "low": low, "high": high}
