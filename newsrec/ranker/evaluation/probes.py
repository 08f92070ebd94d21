"""Whether a ranker reads the history, and how far it follows popularity."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata  # type: ignore[import-untyped, unused-ignore]

from newsrec.metrics.significance import ClusterBootstrap, interval, paired
from newsrec.ranker.evaluation.figures import MAIN, Figure, greedy, of_random_order
from newsrec.ranker.evaluation.tables import Lists, chosen_lists

Floats = npt.NDArray[np.float64]


def otherwise_prompted(
    lists: Lists,
    scores: Mapping[str, Floats],
    probed: Mapping[str, Floats],
    bootstrap: ClusterBootstrap,
) -> dict[str, dict[str, Figure | float]]:
    """NDCG@10 of systems that were shown something else, beside that of the right prompts.

    Args:
        lists: the lists.
        scores: by system, of the right prompts.
        probed: of some of these systems, of the other prompts; NaN in lists that were not probed.
        bootstrap: over the users of the lists.

    Returns:
        By system, of the lists that were probed, `own` and `probed` with their intervals,
        `difference` (probed minus own, paired), `random`, what a random order has, and `num_lists`.
    """
    found: dict[str, dict[str, Figure | float]] = {}
    random = of_random_order(lists.candidates.shape[1])[MAIN]
    for system, of_probe in probed.items():
        probed_lists = np.array([np.isfinite(row).all() for row in of_probe])
        some = chosen_lists(lists, probed_lists)
        values = {
            "own": greedy(some, scores[system][probed_lists])[MAIN],
            "probed": greedy(some, of_probe[probed_lists])[MAIN],
        }
        means = {name: float(of.mean()) for name, of in values.items()}
        drawn = bootstrap.of(np.flatnonzero(probed_lists)).means(values)
        gap = paired(means["own"], drawn["own"], means["probed"], drawn["probed"])
        found[system] = {
            **{name: _figure(means[name], drawn[name]) for name in values},
            "difference": {"value": gap.delta, "low": gap.low, "high": gap.high, "p": gap.p},
            "random": random,
            "num_lists": len(some.ids),
        }
    return found


def with_popularity(
    lists: Lists,
    scores: Mapping[str, Floats],
    counts: Mapping[str, int],
    bootstrap: ClusterBootstrap,
) -> dict[str, Figure | dict[str, float]]:
    """Spearman's rank correlation of scores and popularity within a list, the mean over lists.

    A list in which either is the same for all candidates has none and is left out; a system that
    has none in any list is left out. `target`, the same of what was bought next (1) and the others
    (0), is what a perfect ranker has.

    Args:
        lists: the lists.
        scores: by system.
        counts: purchases of each product in the period of training.
        bootstrap: over the users of the lists.

    Returns:
        By system `value`, `low`, `high`.
    """
    popularity = np.array(
        [[counts.get(item, 0) for item in row] for row in lists.candidates], dtype=np.float64
    )
    bought = np.zeros(popularity.shape)
    bought[np.arange(len(bought)), lists.target] = 1
    found: dict[str, Figure | dict[str, float]] = {}
    for system, of_system in {**scores, "target": bought}.items():
        values = _spearman(of_system, popularity)
        if not np.isnan(values).all():
            found[system] = _figure(float(np.nanmean(values)), bootstrap.mean(values))
    return found


def _spearman(one: Floats, other: Floats) -> Floats:
    """Of each row, shape (rows,); NaN where either does not vary."""
    ranks = [rankdata(values, axis=1) for values in (one, other)]
    first, second = (of - of.mean(axis=1, keepdims=True) for of in ranks)
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    result = np.full(len(first), np.nan)
    np.divide((first * second).sum(axis=1), spread, out=result, where=spread > 0)
    return result


def _figure(value: float, samples: Floats) -> Figure:
    low, high = interval(samples)
    return {"value": value, "low": low, "high": high}
