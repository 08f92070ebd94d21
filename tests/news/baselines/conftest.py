"""A small MIND by user, its evaluation set, and what is measured on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from newsrec.metrics.ranking import group_auc
from newsrec.news.mind.samples import preprocess
from newsrec.news.mind.sources import split_folders
from newsrec.news.mind.synthetic import write_synthetic

SETTINGS = {
    "feedback": "earlier",
    "num_history": 3,
    "num_feedback": 3,
    "target": "sampled",
    "positive_rate": 0.5,
    "max_samples": {"train": None, "val": None},
    "test_candidates": "all",
    "num_val_impressions": 1,
    "num_test_impressions": None,
    "seed": 1,
}

Baseline = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def mind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw/{train,val,test} and candidates_test.parquet."""
    folder = tmp_path_factory.mktemp("mind")
    write_synthetic(folder / "source", num_users=300, num_news=300, num_days=6, seed=3)
    split_folders(folder / "source", folder / "raw", "by_user", seed=1)
    preprocess(folder / "raw", folder, **SETTINGS)
    return folder


@pytest.fixture(scope="session")
def candidates(mind: Path) -> pd.DataFrame:
    return pd.read_parquet(mind / "candidates_test.parquet")


def mean_auc(candidates: pd.DataFrame, score: np.ndarray) -> float:
    series = pd.Series(score, index=candidates.index)
    return float(group_auc(candidates["impression_id"], candidates["label"], series).mean())


def write_split(folder: Path, titles: dict[str, str], impressions: list[tuple[str, str]]) -> None:
    """Write a split of (history, shown) pairs; its impressions are numbered from 1."""
    folder.mkdir(parents=True)
    news = "".join(f"{id_}\ttopic\tsub\t{title}\t\tu\t\t\n" for id_, title in titles.items())
    rows = "".join(
        f"{number}\tU{number}\t11/12/2019 2:14:46 PM\t{history}\t{shown}\n"
        for number, (history, shown) in enumerate(impressions, start=1)
    )
    (folder / "news.tsv").write_text(news, encoding="utf-8", newline="\n")
    (folder / "behaviors.tsv").write_text(rows, encoding="utf-8", newline="\n")


def evaluation_set(titles: dict[str, str], impressions: list[tuple[str, str]]) -> pd.DataFrame:
    """The rows that `preprocess` makes of `write_split`'s, as far as baselines read them."""
    rows = [
        {
            "impression_id": str(number),
            "news_id": token.rpartition("-")[0],
            "label": int(token[-1]),
            "time": pd.Timestamp("2019-11-13 12:00:00"),
            "target": titles[token.rpartition("-")[0]],
            "category": "topic",
        }
        for number, (_, shown) in enumerate(impressions, start=1)
        for token in shown.split()
    ]
    return pd.DataFrame(rows)
