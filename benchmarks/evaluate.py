"""How fast the whole stage `evaluate` is, against scikit-learn one impression at a time.

Makes an evaluation set the size of MINDsmall's dev split (ids, labels, scores and answers are made
up), with predictions of both models and five baselines, and runs the stage on it: every figure,
slice, curve and interval. The rival has the point figures alone, no interval and no slice: a loop
over a part of the impressions with scikit-learn's `roc_auc_score` and `ndcg_score`, scaled up, and
scikit-learn's figures of all rows. The stage is also run at a tenth, a hundredth and a
thousandth of the size.

Run     python -m benchmarks.evaluate [--impressions 73000] [--looped 300] [--rounds 3]
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import brier_score_loss, log_loss, ndcg_score, roc_auc_score

from benchmarks.document import save
from benchmarks.rows import Row, limited
from benchmarks.side_by_side import Measured, run_alternately
from newsrec.files import write_json
from newsrec.models.names import MODELS
from newsrec.running.stage import run_program

ROOT = Path(__file__).resolve().parents[1]
BASELINES = ("popularity", "tfidf", "nrms", "leak_probe", "random")
MEAN_ROWS = 37  # as MINDsmall dev
USERS_PER_IMPRESSION = 50_000 / 73_000
GOAL = 30
BOUND = (
    "the intervals, which the rival lacks: 1,000 resamples took 40 % of the CPU time of 270,744 "
    "rows"
)


def write_inputs(folder: Path, num_impressions: int, seed: int) -> int:
    """Write all that the stage reads into `folder`, the test split apart; returns the rows."""
    rng = np.random.default_rng(seed)
    rows = _candidates(num_impressions, rng)
    _write(folder / "data/processed/candidates_test.parquet", rows)
    predicted = rows[["impression_id", "user_id", "news_id", "label"]]
    for strength, name in enumerate((*BASELINES, *MODELS)):
        logit = rng.normal(predicted["label"] * strength / 4 - 3, 1)
        table = predicted.assign(score=1 / (1 + np.exp(-logit)))
        path = folder / f"data/predictions/{name}.parquet"
        if name in MODELS:
            table = _with_answers(table, rng)
            _write(folder / f"data/predictions/val/{name}.parquet", table[: len(table) // 10])
        _write(path, table)
    counts = {"num_clicks_read": 4_000, "num_candidates_read": 100_000}
    train = counts | {"num_positives": 5_000, "num_samples": 10_000}
    write_json(
        folder / "metrics/preprocess.json",
        {"protocol": {"candidates": "all"}, "train": train, "val": counts},
    )
    write_json(folder / "metrics/score_tuned.json", {"engine": "none"})
    write_json(folder / "models/adapter/protocol.json", {"model": "none"})
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    return len(rows)


def _candidates(num_impressions: int, rng: np.random.Generator) -> pd.DataFrame:
    """Impressions of 2 to hundreds of rows, each with a click and another candidate."""
    num_rows = 2 + rng.geometric(1 / (MEAN_ROWS - 2), size=num_impressions)
    impression = np.repeat(np.arange(num_impressions), num_rows)
    num_users = max(2, round(num_impressions * USERS_PER_IMPRESSION))
    user = rng.integers(num_users, size=num_impressions)
    hour = rng.integers(24, size=num_impressions)
    label = rng.random(len(impression)) < 0.015
    first = np.cumsum(num_rows) - num_rows
    label[first], label[first + 1] = True, False
    news = rng.integers(65_000, size=len(impression))
    topics = np.array([f"topic {number}" for number in range(17)])
    return pd.DataFrame(
        {
            "impression_id": (impression + 1).astype(str),
            "user_id": np.char.add("U", user.astype(str))[impression],
            "news_id": np.char.add("N", news.astype(str)),
            "label": label.astype(np.int8),
            "time": pd.Timestamp("2019-11-15") + pd.to_timedelta(hour[impression], unit="h"),
            "category": topics[news % len(topics)],
            "history_length": rng.geometric(0.05, size=num_users)[user][impression] - 1,
            "user_in_train": (rng.random(num_users) < 0.7)[user][impression],
            "news_in_train": news % 5 > 0,
        }
    )


def _with_answers(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    text = np.where(table["score"] >= 0.5, "Yes.", "No.").astype(object)
    text[rng.random(len(text)) < 0.001] = "Perhaps"
    return table.assign(p_yes=table["score"], p_no=1 - table["score"], answer_mass=0.99, text=text)


def _write(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path)


def looped(folder: Path, num_impressions: int) -> float:
    """Seconds of scikit-learn for the point figures of every predictor, scaled to all impressions.

    Args:
        folder: of `write_inputs`.
        num_impressions: to loop over, the first ones.
    """
    total = 0.0
    for name in (*BASELINES, *MODELS):
        table = pd.read_parquet(folder / f"data/predictions/{name}.parquet")
        groups = table.groupby("impression_id", sort=False)
        parts = [group for _, group in zip(range(num_impressions), groups, strict=False)]
        start = time.perf_counter()
        for _, group in parts:
            label, score = group["label"].to_numpy(), group["score"].to_numpy()
            roc_auc_score(label, score)
            ndcg_score(label[None], score[None], k=5)
            ndcg_score(label[None], score[None], k=10)
            order = np.argsort(-score, kind="stable")
            (label[order] / np.arange(1, len(label) + 1)).sum() / label.sum()
        total += (time.perf_counter() - start) * groups.ngroups / len(parts)
        start = time.perf_counter()
        roc_auc_score(table["label"], table["score"])
        if name in MODELS:
            log_loss(table["label"], table["score"])
            brier_score_loss(table["label"], table["score"])
        total += time.perf_counter() - start
    return total


def staged(folder: Path) -> float:
    """Seconds of the stage's `main` in `folder`."""
    import os

    from stages.evaluate import main as evaluate

    os.chdir(folder)
    start = time.perf_counter()
    evaluate()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--impressions", type=int, default=73_000)
    parser.add_argument("--looped", type=int, default=300, help="impressions, by the rival")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=("stage", "loop"), help="used by the benchmark itself")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.way:
        seconds = (
            staged(options.folder)
            if options.way == "stage"
            else looped(options.folder, options.looped)
        )
        print(json.dumps({"seconds": seconds}))
        return
    growth, found, num_rows = [], {}, 0
    for part in (1000, 100, 10, 1):
        with tempfile.TemporaryDirectory() as folder:
            num_rows = write_inputs(Path(folder), options.impressions // part, seed=1)
            found = run_alternately(_ways(folder, options.looped, both=part == 1), options.rounds)
        stage = found["stage"]
        growth.append((float(num_rows), stage.median, float(stage.peak_bytes)))
    row = _row(found, num_rows, min(options.looped, options.impressions))
    save("evaluate", [row], options.rounds, {"evaluate": growth})


def _ways(folder: str, num_looped: int, both: bool) -> dict[str, list[str]]:
    command = [sys.executable, "-m", "benchmarks.evaluate", "--folder", folder]
    ways = {"stage": [*command, "--way", "stage"]}
    if both:
        ways["loop"] = [*command, "--way", "loop", "--looped", str(num_looped)]
    return ways


def _row(found: dict[str, Measured], num_rows: int, num_looped: int) -> Row:
    ours, rival = found["stage"], found["loop"]
    row = Row(
        work=f"all figures, slices and intervals of 7 predictors, {num_rows:,} rows",
        ours=f"{ours.median:.1f} s, {ours.peak_bytes / 1e9:.2f} GB",
        rival=f"scikit-learn per impression, no slices, no intervals, scaled from {num_looped:,} "
        f"impressions: {rival.median:,.0f} s",
        figure=rival.median / ours.median,
        goal=GOAL,
    )
    return limited(BOUND, row)


if __name__ == "__main__":
    run_program(main)
