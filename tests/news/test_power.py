"""How many impressions a difference takes, by predictions tables on disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from newsrec.errors import UserError
from newsrec.metrics.significance import detectable, groups_needed
from newsrec.news.power import power


def table(seed: int, skill: float = 1.0) -> pd.DataFrame:
    """Predictions of 40 users, 3 impressions each of 5 candidates; higher skill, better scores."""
    rng = np.random.default_rng(seed)
    label = np.tile([1, 0, 0, 0, 0], 120)
    noise = np.random.default_rng(99).normal(size=600)
    return pd.DataFrame(
        {
            "impression_id": np.repeat([f"i{number}" for number in range(120)], 5),
            "user_id": np.repeat([f"u{number}" for number in rng.permutation(120) % 40], 5),
            "label": label,
            "score": noise + skill * label,
        }
    )


@pytest.mark.slow  # a second and more
def test_the_sentence_holds_how_many_impressions_a_difference_takes(tmp_path: Path) -> None:
    base, tuned = tmp_path / "base.parquet", tmp_path / "tuned.parquet"
    table(seed=1, skill=0.5).to_parquet(base)
    table(seed=1, skill=1.0).to_parquet(tuned)
    by_hand = [
        frame.groupby("impression_id", sort=False)[["label", "score"]].apply(
            lambda group: roc_auc_score(group["label"], group["score"])
        )
        for frame in (table(seed=1, skill=0.5), table(seed=1, skill=1.0))
    ]
    gains, users = by_hand[1] - by_hand[0], table(seed=1)["user_id"][::5]
    assert power(0.01, [base, tuned]) == (
        f"{groups_needed(gains, users, 0.01):,} impressions are needed to detect a "
        "difference in mean AUC of 0.01 between base and tuned with 80 % power at the 95 % level; "
        "the 120 impressions here, from 40 users, detect a difference of "
        f"{detectable(gains, users):.2g} or more."
    )


def test_one_table_is_compared_with_chance(tmp_path: Path) -> None:
    table(seed=1).to_parquet(tmp_path / "tuned.parquet")
    assert "between tuned and chance (0.5)" in power(0.01, [tmp_path / "tuned.parquet"])


def test_a_mistake_is_a_users_error(tmp_path: Path) -> None:
    good, other, bare, text, graded = (tmp_path / f"{name}.parquet" for name in "abcde")
    table(seed=1).to_parquet(good)
    table(seed=2).to_parquet(other)
    table(seed=1).drop(columns="label").to_parquet(bare)
    table(seed=1).assign(label=2).to_parquet(graded)
    text.write_text("no table")
    for delta, sources, words in (
        (0.01, [tmp_path / "none.parquet"], "no such file"),
        (0.01, [good, other], "other rows than"),
        (0.01, [good, good], "vary"),
        (0.01, [bare], "label"),
        (0.01, [text], "d.parquet: not a Parquet file"),
        (0.01, [graded], "e.parquet, row 0 .*a label other than 0 and 1"),
        (0, [good], "expected 0 < delta < 1"),
        (0.01, [good, good, good], "3 files"),
        (0.01, [], "0 files"),
    ):
        with pytest.raises(UserError, match=words):
            power(delta, sources)
