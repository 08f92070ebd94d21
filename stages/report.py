"""Write the page that a person reads, the table for a pull request, and what made the figures.

Reads   params: report, fetch_mind.seed, preprocess.seed, train.seed, score.seed, baselines.seed,
        evaluate.seed;
        metrics/{evaluate,slices,fetch_model,train,preprocess,baselines}.json,
        metrics/score_{base,tuned}.json, metrics/timings/{train,score_base,score_tuned}.json,
        plots/loss_{train,val}.tsv, plots/roc_{base,tuned}.tsv, plots/reliability_tuned.tsv,
        data/processed/candidates_test.parquet, data/predictions/tuned.parquet
Writes  reports, metrics/provenance.json
Run     dvc repro report      (alone: python -m stages.report)
"""

from pathlib import Path

import pandas as pd

from newsrec.files import atomic_folder, read_json, write_json, write_text
from newsrec.models.names import MODELS
from newsrec.news.params import Params
from newsrec.news.predictions import read_predictions
from newsrec.news.report.mistakes import most_confident_mistakes
from newsrec.news.report.page import render
from newsrec.news.report.summary import summary_markdown
from newsrec.params.load import load_params
from newsrec.provenance import provenance
from newsrec.report.curves import read_plot
from newsrec.running.stage import run_stage

METRICS = Path("metrics")
PLOTS = Path("plots")
TARGET = Path("reports")
SEEDED = ("fetch_mind", "preprocess", "train", "score", "baselines", "evaluate")


def main() -> None:
    params = load_params(Params)
    metrics = read_json(METRICS / "evaluate.json")
    model = read_json(METRICS / "fetch_model.json")
    probe = read_json(METRICS / "baselines.json")["leak_probe"]
    mistakes = most_confident_mistakes(
        Path("data/processed/candidates_test.parquet"),
        read_predictions(Path("data/predictions/tuned.parquet")),
        params.report.num_mistakes,
    )
    names = [f"score_{name}" for name in MODELS]
    timings = {name: read_json(METRICS / f"timings/{name}.json") for name in ("train", *names)}
    page = render(
        metrics=metrics,
        slices=read_json(METRICS / "slices.json"),
        model=model,
        train=read_json(METRICS / "train.json"),
        audits={name: read_json(METRICS / f"score_{name}.json") for name in MODELS},
        timings=timings,
        row_counts=read_json(METRICS / "preprocess.json"),
        probe=probe,
        train_loss=_curve("loss_train"),
        val_loss=_curve("loss_val"),
        roc={name: _curve(f"roc_{name}") for name in MODELS},
        reliability_points=_curve("reliability_tuned"),
        mistakes=mistakes,
    )
    with atomic_folder(TARGET) as draft:
        write_text(draft / "report.html", page)
        write_text(draft / "summary.md", summary_markdown(metrics, model, probe))
    write_json(
        METRICS / "provenance.json",
        {
            "seeds": {name: getattr(params, name).seed for name in SEEDED},
            **{name: found["provenance"] for name, found in timings.items()},
            "report": provenance(),
        },
    )
    print(f"report: {TARGET / 'report.html'}, {TARGET / 'summary.md'}")


def _curve(name: str) -> pd.DataFrame:
    return read_plot(PLOTS / f"{name}.tsv")


if __name__ == "__main__":
    run_stage(main)
