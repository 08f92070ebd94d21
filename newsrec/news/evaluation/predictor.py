"""All the numbers of one predictor, each with its interval, and of one against another."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from newsrec.metrics.calibration import brier, clipped_logit, ece, log_loss
from newsrec.metrics.classification import classification_metrics, pooled_auc
from newsrec.metrics.intervals import Samples, gains, intervals
from newsrec.metrics.ranking import rank_metrics
from newsrec.metrics.significance import ClusterBootstrap, mcnemar

RANKING = ("auc", "mrr", "ndcg_at_5", "ndcg_at_10")
COMPARED = ("auc", "mrr", "ndcg_at_10", "accuracy")
NUM_BINS = 15
# Each takes memory of its own: of 2.7 million rows two take 3.6 GB in all, one 3.1 (docs/LOG.md).
_THREADS = 2


@dataclass(frozen=True)
class Measured:
    """The figures of a predictor, and of its resamples those that are compared.

    `aucs` are those of the impressions, NaN where all labels are equal; `correct` is of each row.
    """

    figures: dict[str, float]
    samples: dict[str, Samples]
    aucs: np.ndarray
    correct: np.ndarray | None


def measure(
    predictions: pd.DataFrame, decision: pd.Series | None, bootstrap: ClusterBootstrap
) -> Measured:
    """Measure one predictor; a figure `x` with an interval has `x_low` and `x_high` beside it.

    Ranking metrics are means over the impressions that have both a click and another candidate; the
    others are counted in `num_one_class`. The rest is over all rows. Intervals are of 95 %, from
    resampled users.

    Args:
        predictions: one row per (impression, candidate) with impression_id, label, score and, of a
            model, answer_mass.
        decision: True, False or NA for each row; NA is an answer that could not be read. None for a
            predictor whose scores order candidates and are no probabilities: it decides nothing.
        bootstrap: over the users of the rows.

    Returns:
        Finite numbers under stable keys; a metric that cannot be computed has no key.
    """
    label, score = predictions["label"], predictions["score"]
    ranks = rank_metrics(predictions["impression_id"], label, score)
    has_auc = ranks["auc"].notna().to_numpy()
    usable = ranks[has_auc]
    # The first row of each: an impression has one figure, and one user.
    first = np.flatnonzero(~predictions["impression_id"].duplicated())
    of_impressions = bootstrap.of(first[has_auc])
    figures: dict[str, float] = {}
    samples: dict[str, Samples] = {}
    if len(usable):
        figures |= {name: float(usable[name].mean()) for name in RANKING}
        samples |= of_impressions.means({name: usable[name] for name in RANKING})
    pooled = pooled_auc(label, score)
    if pooled is not None:
        figures["pooled_auc"] = pooled
        samples["pooled_auc"] = bootstrap.weighted_auc(label, score)
    correct = None
    if decision is not None:
        figures |= decision_figures(label, decision)
        samples |= _decision_samples(label, decision, bootstrap)
        figures |= {"log_loss": log_loss(label, score), "brier": brier(label, score)}
        figures["ece"] = ece(label, score, NUM_BINS)
        samples |= probability_samples(label, score, bootstrap)
        said = decision.fillna(False).astype(bool) == label.astype(bool)
        correct = (said & decision.notna()).to_numpy(dtype=bool)
    num_pairs = int(usable["pairs"].sum())
    if num_pairs:
        figures["tie_rate"] = float(usable["tied_pairs"].sum() / num_pairs)
        samples["tie_rate"] = of_impressions.ratio(usable["tied_pairs"], usable["pairs"])
    if decision is not None and "answer_mass" in predictions:
        figures["unparsed_rate"] = float(decision.isna().mean())
        rates: dict[str, pd.Series] = {"unparsed_rate": decision.isna()}
        # None of a prompt that a server did not answer.
        if predictions["answer_mass"].notna().any():
            rates["answer_mass"] = predictions["answer_mass"]
            figures["answer_mass"] = float(predictions["answer_mass"].mean())
        samples |= bootstrap.means(rates)
    figures |= intervals(samples)
    figures |= {
        "num_impressions": len(ranks),
        "num_candidates": len(predictions),
        "num_users": len(bootstrap.clusters),
        "num_one_class": len(ranks) - len(usable),
    }
    return Measured(figures, samples, ranks["auc"].to_numpy(), correct)


def measure_all(
    tables: Mapping[str, pd.DataFrame],
    decided: Mapping[str, pd.Series | None],
    bootstrap: ClusterBootstrap,
) -> dict[str, Measured]:
    """`measure` of several predictors by name, two at a time; the result does not depend on it."""
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda name: measure(tables[name], decided[name], bootstrap), tables)
        return dict(zip(tables, found, strict=True))


def decision_figures(label: pd.Series, decision: pd.Series) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of yes or no, and the four counts they come from.

    Args:
        label: 1 or 0, shape (rows,).
        decision: True, False or NA, shape (rows,), of pandas' `boolean` type; NA counts as wrong
            and is in none of the counts, see `classification_metrics`.
    """
    found = classification_metrics(label, decision.astype("Int8"), classes=(0, 1))
    yes = found.per_class.loc[1]
    (tn, fp), (fn, tp) = found.confusion.tolist()
    return {
        "accuracy": found.accuracy,
        "precision": float(yes["precision"]),
        "recall": float(yes["recall"]),
        "f1": float(yes["f1"]),
        "tn": tn,
        "fp": fp,
        "fn": fn,
        "tp": tp,
    }


def compare(one: Measured, other: Measured) -> dict[str, dict[str, float]]:
    """What `one` gains over `other`: delta, its 95 % interval and p, from the same resamples.

    `accuracy` has `p_mcnemar` beside it, which takes rows as independent.
    """
    result = gains(one.figures, one.samples, other.figures, other.samples, COMPARED)
    if other.correct is not None and one.correct is not None:
        result["accuracy"]["p_mcnemar"] = mcnemar(other.correct, one.correct)
    return result


def _decision_samples(
    label: pd.Series, decision: pd.Series, bootstrap: ClusterBootstrap
) -> dict[str, Samples]:
    clicked = label.astype(bool)
    said_yes = decision.fillna(False).astype(bool)
    said_no = (~decision).fillna(False).astype(bool)
    sums = bootstrap.cluster_sums(
        pd.DataFrame(
            {
                "tp": said_yes & clicked,
                "fp": said_yes & ~clicked,
                "tn": said_no & ~clicked,
                "clicked": clicked,
                "rows": np.ones(len(label)),
            }
        ).astype(float)
    )
    drawn = bootstrap.resampled(sums)

    def ratio(above: pd.Series, below: pd.Series) -> Samples:
        # Without a denominator 0, as the figure itself.
        return np.asarray((above / below.replace(0, np.nan)).fillna(0), dtype=np.float64)

    said = drawn["tp"] + drawn["fp"]
    return {
        "accuracy": ratio(drawn["tp"] + drawn["tn"], drawn["rows"]),
        "precision": ratio(drawn["tp"], said),
        "recall": ratio(drawn["tp"], drawn["clicked"]),
        "f1": ratio(2 * drawn["tp"], said + drawn["clicked"]),
    }


def probability_samples(
    label: pd.Series, score: pd.Series, bootstrap: ClusterBootstrap
) -> dict[str, Samples]:
    """Log loss, Brier score and ECE of probabilities in each resample."""
    logit = clipped_logit(score)
    losses = np.logaddexp(0, np.where(label == 1, -logit, logit))
    bins = np.minimum((score.to_numpy() * NUM_BINS).astype(int), NUM_BINS - 1)
    gap = score.to_numpy() - label.to_numpy()
    sums: dict[int | str, pd.Series] = {}
    for number in np.unique(bins):
        inside = np.flatnonzero(bins == number)
        of_bin = bootstrap.of(inside).cluster_sums(pd.DataFrame({"gap": gap[inside]}))
        sums[number] = of_bin["gap"]
    sums["rows"] = bootstrap.cluster_sums(pd.DataFrame({"rows": np.ones(len(gap))}))["rows"]
    drawn = bootstrap.resampled(pd.DataFrame(sums))
    ece = drawn.drop(columns="rows").abs().sum(axis=1) / drawn["rows"]
    means = bootstrap.means({"log_loss": losses, "brier": gap**2})
    return means | {"ece": np.asarray(ece, dtype=np.float64)}
