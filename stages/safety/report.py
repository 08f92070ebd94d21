"""Write the page that a moderator reads, the table for a pull request, and what made the figures.

Reads   params: report, train.seed, audit.seed, evaluate.seed;
        metrics/{evaluate,classes,thresholds,slices,evasion,audit,fetch_model,train}.json,
        metrics/{extract,prepare}.json, plots/{loss_train,loss_val,macro_f1_val}.tsv,
        plots/pr_NAME.tsv, plots/reliability_tuned.tsv, data/processed/{train,test}.parquet,
        data/audit.parquet, data/predictions/test/tuned.parquet
Writes  reports, metrics/provenance.json
Run     dvc repro report      (alone: python -m stages.safety.report)
"""

from pathlib import Path

import pandas as pd

from newsrec.files import atomic_folder, read_json, read_table, write_json, write_text
from newsrec.params.load import load_params
from newsrec.provenance import provenance
from newsrec.report.curves import read_plot
from newsrec.running.stage import run_stage
from newsrec.safety.audit import most_suspect
from newsrec.safety.params import Params
from newsrec.safety.predictors import PREDICTORS, keys_of, read_predictions
from newsrec.safety.report.mistakes import most_confident_mistakes
from newsrec.safety.report.page import render
from newsrec.safety.report.summary import summary_markdown

METRICS, PLOTS, PROCESSED = Path("metrics"), Path("plots"), Path("data/processed")
TARGET = Path("reports")
SHOWN = ("classes", "thresholds", "slices", "evasion", "audit", "train")
SEEDED = ("train", "audit", "evaluate")


def main() -> None:
    params = load_params(Params)
    found = {name: read_json(METRICS / f"{name}.json") for name in SHOWN}
    metrics, model = (read_json(METRICS / f"{name}.json") for name in ("evaluate", "fetch_model"))
    rows = read_table(PROCESSED / "test.parquet", [*keys_of("test"), "text", "tags"])
    tuned = read_predictions(Path("data/predictions/test/tuned.parquet"), rows[keys_of("test")])
    audited = read_table(Path("data/audit.parquet"), ["id", "label", "suggested", "quality"])
    texts = read_table(PROCESSED / "train.parquet", ["id", "text"])
    page = render(
        **found,
        metrics=metrics,
        model=model,
        suspects=most_suspect(audited, texts, params.report.num_suspects),
        row_counts={name: read_json(METRICS / f"{name}.json") for name in ("extract", "prepare")},
        train_loss=_plot("loss_train"),
        val_loss=_plot("loss_val"),
        val_macro_f1=_plot("macro_f1_val"),
        curves={name: _plot(f"pr_{name}") for name in PREDICTORS},
        reliability_points=_plot("reliability_tuned"),
        mistakes=most_confident_mistakes(tuned, rows, params.report.num_mistakes),
    )
    with atomic_folder(TARGET) as draft:
        write_text(draft / "report.html", page)
        summary = summary_markdown(metrics, found["thresholds"], model)
        write_text(draft / "summary.md", summary)
    seeds = {name: getattr(params, name).seed for name in SEEDED}
    write_json(METRICS / "provenance.json", {"seeds": seeds, "report": provenance()})
    print(f"report: {TARGET / 'report.html'}, {TARGET / 'summary.md'}")


def _plot(name: str) -> pd.DataFrame:
    return read_plot(PLOTS / f"{name}.tsv")


if __name__ == "__main__":
    run_stage(main)
