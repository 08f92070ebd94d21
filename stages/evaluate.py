"""Turn predictions into numbers; knows no model.

Reads   params: evaluate; data/predictions/*.parquet, data/outside, the evaluation sets, and from
        metrics/preprocess.json how the model was trained
Writes  metrics/evaluate.json, metrics/slices.json, plots/{roc,reliability}_{base,tuned}.tsv
Run     dvc repro evaluate      (alone: python -m stages.evaluate)
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from newsrec.errors import run_stage
from newsrec.evaluation.calibrated import Calibration, calibrated_figures, click_rate, fit
from newsrec.evaluation.curves import reliability_points, roc_points
from newsrec.evaluation.predictor import Measured, compare, measure
from newsrec.evaluation.slices import measure_slices, slice_names
from newsrec.files import read_json, write_json, write_tsv
from newsrec.metrics.ranking import rank_metrics
from newsrec.metrics.significance import ClusterBootstrap, detectable
from newsrec.mind.outside import read_outside
from newsrec.params import Evaluate, load_params
from newsrec.predictions import KEYS, decisions, read_predictions, require_same_rows

MODELS = ("base", "tuned")
BASELINES = ("popularity", "tfidf", "nrms", "leak_probe", "random")
PREDICTIONS = Path("data/predictions")
CANDIDATES = Path("data/processed/candidates_test.parquet")
FACTS = ["time", "category", "history_length", "user_in_train", "news_in_train"]


def main() -> None:
    params = load_params().evaluate
    candidates = pd.read_parquet(CANDIDATES, columns=[*KEYS, "label", *FACTS])
    tables = {
        name: read_predictions(PREDICTIONS / f"{name}.parquet") for name in (*MODELS, *BASELINES)
    }
    outside, ranking_only = read_outside(
        Path("data/outside"), candidates, Path("data/raw/test/behaviors.tsv"), tables
    )
    tables |= outside
    for name, table in tables.items():
        require_same_rows(table, candidates, name)

    bootstrap = ClusterBootstrap(candidates["user_id"], params.num_resamples, params.seed)
    measured = {
        name: measure(table, None if name in ranking_only else decisions(table), bootstrap)
        for name, table in tables.items()
    }
    calibrations = {name: _calibration(name, params.candidates) for name in MODELS}
    write_json(
        Path("metrics/evaluate.json"),
        {
            "protocol": _protocol(params),
            **{
                name: found.figures | _calibrated(name, tables, calibrations, bootstrap)
                for name, found in measured.items()
            },
            **_comparisons(measured, tables),
        },
    )
    slices = slice_names(candidates)
    models = {name: tables[name] for name in MODELS}
    write_json(
        Path("metrics/slices.json"),
        {"protocol": _protocol(params), **measure_slices(models, slices, bootstrap)},
    )
    for name, table in models.items():
        _write_curves(name, table, calibrations[name])
    _say(measured)


def _calibration(name: str, candidates: str) -> Calibration:
    """Fitted on the validation set, never on the test."""
    account = read_json(Path("metrics/preprocess.json"))
    true_rate = click_rate(account, candidates)
    # The base was never trained at the samples' share of clicks: there is nothing to take out.
    tuned_rate = account["train"]["num_positives"] / account["train"]["num_samples"]
    table = read_predictions(PREDICTIONS / "val" / f"{name}.parquet")
    return fit(
        table["label"],
        table["score"],
        train_rate=tuned_rate if name == "tuned" else true_rate,
        true_rate=true_rate,
    )


def _calibrated(
    name: str,
    tables: dict[str, pd.DataFrame],
    calibrations: dict[str, Calibration],
    bootstrap: ClusterBootstrap,
) -> dict[str, float]:
    if name not in calibrations:
        return {}
    table = tables[name]
    return calibrated_figures(calibrations[name], table["label"], table["score"], bootstrap)


def _comparisons(
    measured: dict[str, Measured], tables: dict[str, pd.DataFrame]
) -> dict[str, dict[str, Any]]:
    """Tuned against base and against every other predictor, and what this run could have seen."""
    result: dict[str, dict[str, Any]] = {
        f"tuned_vs_{name}": dict(compare(measured["tuned"], measured[name]))
        for name in measured
        if name != "tuned"
    }
    base, tuned = (
        rank_metrics(table["impression_id"], table["label"], table["score"])["auc"]
        for table in (tables["base"], tables["tuned"])
    )
    users = tables["base"].drop_duplicates("impression_id")["user_id"].to_numpy()
    gains = (tuned - base).to_numpy()
    # Without two users and two gains that differ there is nothing to plan with.
    known = ~np.isnan(gains)
    if len(set(users[known])) > 1 and len(set(gains[known])) > 1:
        result["tuned_vs_base"]["detectable_auc"] = detectable(gains, users)
    return result


def _protocol(params: Evaluate) -> dict[str, str]:
    return {
        **read_json(Path("metrics/preprocess.json"))["protocol"],
        **read_json(Path("models/adapter/protocol.json")),
        "engine": read_json(Path("metrics/score_tuned.json"))["engine"],
        "grouping": "per impression, then the plain mean; one-class impressions left out",
        "mrr": "all clicks; ties in expectation",
        "intervals": f"95 %, {params.num_resamples} resamples of users, seed {params.seed}",
    }


def _write_curves(name: str, table: pd.DataFrame, calibration: Calibration) -> None:
    # Of one class there is no curve: the file then has its header alone, which DVC expects.
    points = roc_points(table["label"], table["score"]) if table["label"].nunique() > 1 else []
    write_tsv(Path(f"plots/roc_{name}.tsv"), ("false_positive_rate", "true_positive_rate"), points)
    mended = pd.Series(calibration.apply(table["score"]))
    rows = [
        (kind, *point)
        for kind, score in (("raw", table["score"]), ("calibrated", mended))
        for point in reliability_points(table["label"], score)
    ]
    header = ("kind", "mean_probability", "click_rate", "num_rows")
    write_tsv(Path(f"plots/reliability_{name}.tsv"), header, rows)


def _say(measured: dict[str, Measured]) -> None:
    for name, found in measured.items():
        told = "  ".join(
            f"{key} {found.figures[key]:.4f}"
            for key in ("auc", "mrr", "accuracy")
            if key in found.figures
        )
        print(f"evaluate: {name:10} {told}")


if __name__ == "__main__":
    run_stage(main)
