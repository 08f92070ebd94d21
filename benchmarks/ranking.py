"""How fast and how right the ranking metrics are, against scikit-learn one group at a time.

Makes an evaluation set the size of MINDsmall's dev split (made-up relevance and scores, some of
which tie), measures it with `newsrec.metrics.ranking`, and a part of it with a loop over groups
that calls scikit-learn's `roc_auc_score` and `ndcg_score` (which also average over ties), scaled
up.

Run     python -m benchmarks.ranking [--groups 73000] [--looped 2000]
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.metrics import ndcg_score, roc_auc_score

from newsrec.metrics.ranking import rank_metrics
from newsrec.running.stage import run_program

MEAN_ROWS = 37  # as MINDsmall dev


def made_up_rows(num_groups: int, seed: int) -> pd.DataFrame:
    """Groups of 2 to hundreds of rows, at least one relevant and one other in each."""
    rng = np.random.default_rng(seed)
    num_rows = 2 + rng.geometric(1 / (MEAN_ROWS - 2), size=num_groups)
    group = np.repeat(np.arange(num_groups), num_rows)
    relevance = rng.random(len(group)) < 0.02
    first = np.cumsum(num_rows) - num_rows
    relevance[first], relevance[first + 1] = True, False
    # Two decimals: a few in a hundred pairs tie.
    score = np.round(1 / (1 + np.exp(-rng.normal(relevance - 2.0, 1.0))), 2)
    return pd.DataFrame(
        {"group": group.astype(str), "relevance": relevance.astype(int), "score": score}
    )


def looped(rows: pd.DataFrame) -> pd.DataFrame:
    """AUC and nDCG of each group by scikit-learn, one call after the other."""
    found = {}
    for name, group in rows.groupby("group", sort=False):
        relevance, score = group["relevance"].to_numpy(), group["score"].to_numpy()
        found[name] = (
            roc_auc_score(relevance, score),
            ndcg_score(relevance[None], score[None], k=5),
            ndcg_score(relevance[None], score[None], k=10),
        )
    columns = ["auc", "ndcg_at_5", "ndcg_at_10"]
    return pd.DataFrame.from_dict(found, orient="index", columns=columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=73_000, help="in the whole set")
    parser.add_argument("--looped", type=int, default=2_000, help="of them, measured by the loop")
    options = parser.parse_args()
    rows = made_up_rows(options.groups, seed=1)

    start = time.perf_counter()
    ours = rank_metrics(rows["group"], rows["relevance"], rows["score"])
    our_seconds = time.perf_counter() - start

    part = rows[rows["group"].astype(int) < options.looped]
    start = time.perf_counter()
    theirs = looped(part)
    their_seconds = (time.perf_counter() - start) * len(rows) / len(part)

    difference = (ours.loc[theirs.index, theirs.columns] - theirs).abs().max().max()
    tie_rate = ours["tied_pairs"].sum() / ours["pairs"].sum()
    print(f"{len(rows):,} rows, {len(ours):,} groups, {tie_rate:.1%} of the pairs tied")
    print(f"rank_metrics        {our_seconds:8.2f} s")
    print(f"loop, scikit-learn  {their_seconds:8.2f} s (scaled from {len(theirs):,} groups)")
    print(f"{their_seconds / our_seconds:.0f} times as fast; largest difference {difference:.1e}")


if __name__ == "__main__":
    run_program(main)
