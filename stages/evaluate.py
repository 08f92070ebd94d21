"""Turn predictions into numbers; knows no model.

Reads   params: evaluate; data/predictions/NAME.parquet, data/predictions/val/NAME.parquet,
        data/outside, data/processed/candidates_test.parquet, data/raw/test,
        metrics/preprocess.json, metrics/score_tuned.json, models/adapter (its protocol)
Writes  metrics/{evaluate,slices,by_user}.json, plots/roc_NAME.tsv, plots/reliability_NAME.tsv
Run     dvc repro evaluate      (alone: python -m stages.evaluate)
"""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from newsrec.files import read_json, write_json, write_tsv
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.models.names import MODELS
from newsrec.news.evaluation import curves
from newsrec.news.evaluation.by_user import sums_by_user
from newsrec.news.evaluation.calibrated import calibrated_figures, fit_model
from newsrec.news.evaluation.compared import compare_tuned
from newsrec.news.evaluation.predictor import Measured, measure_all
from newsrec.news.evaluation.slices import measure_slices, slice_names
from newsrec.news.evaluation.tables import aligned, read_aligned
from newsrec.news.external import read_external
from newsrec.news.params import Params
from newsrec.news.predictions import KEYS, decisions, read_predictions, require_same_rows
from newsrec.params.load import load_params
from newsrec.params.sections import Evaluate
from newsrec.running.stage import run_stage

BASELINES = ("popularity", "tfidf", "nrms", "leak_probe", "random")
PREDICTIONS = Path("data/predictions")
CANDIDATES = Path("data/processed/candidates_test.parquet")
FACTS = ["time", "category", "history_length", "user_in_train", "news_in_train"]


def main() -> None:
    params = load_params(Params).evaluate
    rows = pq.read_table(CANDIDATES, columns=[*KEYS, "label", *FACTS])
    candidates = rows.to_pandas()
    names = (*MODELS, *BASELINES)
    tables = {name: read_aligned(PREDICTIONS / f"{name}.parquet", rows, name) for name in names}
    external, ranking_only = read_external(
        Path("data/outside"), candidates, Path("data/raw/test/behaviors.tsv"), tables
    )
    for name, table in external.items():
        require_same_rows(table, candidates, name)
    # Numbers for ids: the same text is not compared for every figure.
    numbered = candidates.assign(impression_id=pd.factorize(candidates["impression_id"])[0])
    tables = {name: aligned(one, numbered) for name, one in (tables | external).items()}

    bootstrap = ClusterBootstrap(candidates["user_id"], params.num_resamples, params.seed)
    decided = {
        name: None if name in ranking_only else decisions(table) for name, table in tables.items()
    }
    measured = measure_all(tables, decided, bootstrap)
    row_counts = read_json(Path("metrics/preprocess.json"))
    calibrations = {
        name: fit_model(name, read_predictions(PREDICTIONS / "val" / f"{name}.parquet"), row_counts)
        for name in MODELS
    }
    for name, calibration in calibrations.items():
        measured[name].figures.update(calibrated_figures(calibration, tables[name], bootstrap))
    protocol = _protocol(params)
    figures = {name: found.figures for name, found in measured.items()}
    figures |= compare_tuned(measured, numbered)
    write_json(Path("metrics/evaluate.json"), {"protocol": protocol, **figures})
    write_json(Path("metrics/by_user.json"), sums_by_user(measured["tuned"], candidates))
    models = {name: tables[name] for name in MODELS}
    slices = measure_slices(models, slice_names(numbered), bootstrap)
    write_json(Path("metrics/slices.json"), {"protocol": protocol, **slices})
    for name, table in models.items():
        write_tsv(Path(f"plots/roc_{name}.tsv"), curves.ROC_HEADER, curves.roc_rows(table))
        rows = curves.reliability_rows(table, calibrations[name])
        write_tsv(Path(f"plots/reliability_{name}.tsv"), curves.RELIABILITY_HEADER, rows)
    _print_figures(measured)


def _protocol(params: Evaluate) -> dict[str, str]:
    return {
        **read_json(Path("metrics/preprocess.json"))["protocol"],
        **read_json(Path("models/adapter/protocol.json")),
        "engine": read_json(Path("metrics/score_tuned.json"))["engine"],
        "grouping": "per impression, then the plain mean; one-class impressions left out",
        "mrr": "all clicks; ties in expectation",
        "intervals": f"95 %, {params.num_resamples} resamples of users, seed {params.seed}",
    }


def _print_figures(measured: dict[str, Measured]) -> None:
    for name, found in measured.items():
        shown = [key for key in ("auc", "mrr", "accuracy") if key in found.figures]
        print(f"evaluate: {name:10}", *(f"{key} {found.figures[key]:.4f} " for key in shown))


if __name__ == "__main__":
    run_stage(main)
