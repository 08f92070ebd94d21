"""How well a predictor orders the candidates in parts of the evaluation set.

The figure of a slice is the share of (click, other) pairs of an impression in the right order, ties
half, over the clicks of the slice: the same for slices by user, by impression and by article.
"""

import numpy as np
import pandas as pd

from newsrec.metrics.significance import ClusterBootstrap, interval


def slice_names(candidates: pd.DataFrame) -> pd.DataFrame:
    """The slice of each row under each heading.

    Args:
        candidates: rows with impression_id, history_length, user_in_train, news_in_train, category
            and time.

    Returns:
        A column of text for each heading, in the order of the rows.
    """
    lengths = candidates["history_length"]
    num_shown = candidates["impression_id"].groupby(candidates["impression_id"]).transform("size")
    hour = candidates["time"].dt.hour
    return pd.DataFrame(
        {
            "history": pd.cut(
                lengths,
                [-1, 0, 10, np.inf],
                labels=["none", "short: 1 to 10", "long: 11 or more"],
            ).astype(str),
            "user": np.where(candidates["user_in_train"], "in the train split", "new"),
            "news": np.where(candidates["news_in_train"], "in the train split", "new"),
            "candidates": pd.cut(
                num_shown, [0, 5, 10, 30, np.inf], labels=["2 to 5", "6 to 10", "11 to 30", "31+"]
            ).astype(str),
            "hour": pd.cut(
                hour, [-1, 5, 11, 17, 23], labels=["0 to 5", "6 to 11", "12 to 17", "18 to 23"]
            ).astype(str),
            "topic": candidates["category"],
        }
    )


def win_rates(predictions: pd.DataFrame) -> pd.Series:
    """Of each click the share of its impression's other candidates that it beats, ties half.

    Returns:
        Shape (rows,); NaN for rows without a click and for impressions of clicks alone.
    """
    groups = predictions.groupby("impression_id", sort=False)
    ranks = groups["score"].rank(method="average")
    # Among the clicks themselves: what they win of each other is no win over another candidate.
    clicks = predictions[predictions["label"] == 1]
    among = clicks.groupby("impression_id", sort=False)["score"].rank(method="average")
    num_others = (1 - predictions["label"]).groupby(predictions["impression_id"]).transform("sum")
    return (ranks - among) / num_others.replace(0, np.nan)


def measure_slices(
    tables: dict[str, pd.DataFrame], slices: pd.DataFrame, bootstrap: ClusterBootstrap
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """heading → slice → predictor → value, low, high, num_clicks.

    Slices in which fewer than two users clicked are left out: they have no interval.
    """
    rates = pd.DataFrame({name: win_rates(table) for name, table in tables.items()})
    clicks = np.flatnonzero(rates.notna().all(axis=1))
    rates, of_clicks = rates.iloc[clicks], bootstrap.of(clicks)
    result: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for heading in map(str, slices.columns):
        slice_of = slices[heading].to_numpy()[clicks]
        parts = {}
        for name in sorted(set(slice_of)):
            inside = slice_of == name
            of_users = of_clicks.cluster_sums(pd.DataFrame({"clicks": inside}))
            if (of_users["clicks"] > 0).sum() >= 2:
                parts[name] = {one: rates[one].where(inside) for one in tables}
        drawn = of_clicks.means(
            {(name, one): rate for name, part in parts.items() for one, rate in part.items()}
        )
        result[heading] = {name: {} for name in parts}
        for (name, predictor), samples in drawn.items():
            low, high = interval(samples)
            of_slice = parts[name][predictor]
            result[heading][name][predictor] = {
                "value": float(of_slice.mean()),
                "low": low,
                "high": high,
                "num_clicks": int(of_slice.notna().sum()),
            }
    return result
