"""Turn predictions into numbers; knows no model.

Reads   params: evaluate, extract.near_copy_threshold;
        data/processed/{train,val,test,evasion}.parquet,
        data/predictions/{val,test,evasion}/NAME.parquet, metrics/{extract,prepare}.json,
        metrics/score_tuned.json, models/adapter (its protocol)
Writes  metrics/{evaluate,classes,thresholds,slices,evasion}.json, plots/pr_NAME.tsv,
        plots/{reliability,confusion}_{base,tuned}.tsv, data/classification_report.txt
Run     dvc repro evaluate      (alone: python -m stages.safety.evaluate)
"""

from pathlib import Path
from typing import Any

from tqdm import tqdm

from newsrec.files import read_json, read_table, write_json, write_text, write_tsv
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.models.names import MODELS
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage
from newsrec.safety.evaluation import curves
from newsrec.safety.evaluation.evasion import RATE, probe
from newsrec.safety.evaluation.predictor import compare_tuned, measure
from newsrec.safety.evaluation.slices import measure_slices, slices_of
from newsrec.safety.evaluation.tables import read_splits, read_tables, report_text
from newsrec.safety.evaluation.unsafe import measure_thresholds, rate_key
from newsrec.safety.leaks import leak_gate
from newsrec.safety.params import Evaluate, Params

PROCESSED, METRICS, PLOTS = Path("data/processed"), Path("metrics"), Path("plots")
TEXTS = ["label", "text", "normalised", "tags"]


def main() -> None:
    given = load_params(Params)
    params, threshold = given.evaluate, given.extract.near_copy_threshold
    splits = read_splits(PROCESSED)
    gate = leak_gate(splits, threshold, params.seed + 2)  # of seeds of their own: extract, prepare
    tables = read_tables(PROCESSED, Path("data/predictions"))
    test, val = tables["test"], tables["val"]
    in_source = read_json(METRICS / "extract.json")["share_benign_in_source"]
    benign_share = in_source if params.benign_share is None else params.benign_share
    bootstrap = ClusterBootstrap(test["tuned"]["cluster"], params.num_resamples, params.seed)
    at = {name: measure_thresholds(table, val[name], benign_share) for name, table in test.items()}
    measured = {
        name: measure(table, val[name], at[name], bootstrap)
        for name, table in tqdm(test.items(), desc="evaluate", unit="predictor")
    }
    figures = {name: found.figures for name, found in measured.items()}
    facts = {"leak_gate": gate, "benign_share": benign_share}
    slices = slices_of(read_table(PROCESSED / "test.parquet", TEXTS), splits["train"]["normalised"])
    draws = (params.num_resamples, params.seed)
    results: dict[str, dict[str, Any]] = {
        "evaluate": {**facts, **figures, **compare_tuned(measured)},
        "classes": {name: found.classes for name, found in measured.items()},
        "thresholds": at,
        "slices": measure_slices(test, slices, bootstrap),
        "evasion": {
            name: probe(
                table, tables["evasion"][name], at[name][rate_key(RATE)]["threshold"], *draws
            )
            for name, table in test.items()
        },
    }
    for name, found in results.items():
        write_json(METRICS / f"{name}.json", {"protocol": _protocol(params), **found})
    for name, table in test.items():
        write_tsv(PLOTS / f"pr_{name}.tsv", curves.PR_HEADER, curves.pr_rows(table))
    for name in MODELS:
        reliability = curves.reliability_rows(test[name], figures[name]["temperature"])
        confusion = curves.confusion_rows(test[name])
        write_tsv(PLOTS / f"reliability_{name}.tsv", curves.RELIABILITY_HEADER, reliability)
        write_tsv(PLOTS / f"confusion_{name}.tsv", curves.CONFUSION_HEADER, confusion)
    write_text(Path("data/classification_report.txt"), report_text(test))
    for name, of_name in figures.items():
        shown = ("macro_f1", "accuracy", "unsafe_recall_at_1")
        print(f"evaluate: {name:9}", *(f"{key} {of_name[key]:.4f} " for key in shown))


def _protocol(params: Evaluate) -> dict[str, str]:
    trained = read_json(Path("models/adapter/protocol.json"))
    scored = read_json(METRICS / "score_tuned.json")["protocol"]
    return {
        **trained,
        **scored,
        "train_data": trained["data"],
        "test_data": scored["data"],
        **read_json(METRICS / "prepare.json")["protocol"],
        "benign_share": params.benign_share_from,
        "thresholds": "chosen on validation, measured on test",
        "intervals": f"95 %, {params.num_resamples} resamples of clusters, seed {params.seed}; "
        "exact at thresholds, given these and independent rows",
    }


if __name__ == "__main__":
    run_stage(main)
