"""A power analysis in words: how many groups a difference needs, and what these can detect."""

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
    """How many groups are needed to detect a difference, and what these groups can detect.

    Args:
        differences: for each group, the first figure minus the second, shape (groups,); NaN is left
            out.
        cluster: the cluster of each group, shape (groups,).
        delta: the difference to detect.
        metric: the name of the metric.
        names: the names of the two that are compared.
        groups: the plural noun for groups, such as queries.
        clusters: the plural noun for clusters, such as users.

    Raises:
        ValueError: see `newsrec.metrics.significance.detectable`.
    """
    needed, smallest = groups_needed(differences, cluster, delta), detectable(differences, cluster)
    num_groups = int((~np.isnan(np.asarray(differences, dtype=np.float64))).sum())
    return (
        f"{needed:,} {groups} are needed to detect a difference in {metric} of {delta:g} between "
        f"{names[0]} and {names[1]} with 80 % power at the 95 % level; the {num_groups:,} {groups} "
        f"here, from {len(np.unique(np.asarray(cluster))):,} {clusters}, detect a difference of "
        f"{smallest:.2g} or more."
    )
