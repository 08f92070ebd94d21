"""How many groups show a difference of one metric, and what those at hand show, in words."""

import numpy as np
from numpy.typing import ArrayLike

from newsrec.metrics.significance import detectable, groups_needed


def power_sentence(
    differences: ArrayLike,
    cluster: ArrayLike,
    delta: float,
    *,
    metric: str,
    names: tuple[str, str],
    groups: str,
    clusters: str,
) -> str:
    """How many groups a difference takes, and the smallest that these could show.

    Args:
        differences: of each group, the one's figure minus the other's, shape (groups,); NaN is left
            out.
        cluster: of each group, shape (groups,).
        delta: the difference to show.
        metric: what it is a difference of.
        names: of the two that are compared.
        groups: what a group is called, in the plural, such as queries.
        clusters: the same of clusters, such as users.

    Raises:
        ValueError: see `newsrec.metrics.significance.detectable`.
    """
    needed, smallest = groups_needed(differences, cluster, delta), detectable(differences, cluster)
    num_groups = int((~np.isnan(np.asarray(differences, dtype=np.float64))).sum())
    return (
        f"{needed:,} {groups} show a difference in {metric} of {delta:g} between {names[0]} and "
        f"{names[1]} four times in five at level 95 %; the {num_groups:,} here, of "
        f"{len(np.unique(np.asarray(cluster))):,} {clusters}, show one of {smallest:.2g} or more."
    )
