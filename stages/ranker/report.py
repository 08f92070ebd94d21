"""Write the page, the summary for the terminal, and what made the figures.

Reads   params: report, rl.method, rl.recipe.k, rl.recipe.seed, train.seed, teach.seed,
        evaluate.delta, evaluate.seed;
        metrics/{evaluate,slices,probes,teach,compare,train,rl_METHOD}.json,
        metrics/{fetch_model,fetch_reviews,prepare}.json,
        plots/{learning_curves,loss_train,loss_val}.tsv,
        data/processed/{test.parquet,candidates_test.json,items.parquet},
        data/predictions/{sft,METHOD}.parquet
Writes  reports, metrics/provenance.json
Run     dvc repro report      (alone: python -m stages.ranker.report)
"""

from pathlib import Path

from newsrec.files import atomic_folder, read_json, write_json, write_text
from newsrec.params.load import load_params
from newsrec.provenance import provenance
from newsrec.ranker.params import Params
from newsrec.ranker.report.examples import moved_most
from newsrec.ranker.report.page import render
from newsrec.ranker.report.summary import summary_markdown
from newsrec.ranker.systems import METHODS
from newsrec.report.curves import read_plot
from newsrec.running.stage import run_stage

METRICS, PLOTS, PROCESSED = Path("metrics"), Path("plots"), Path("data/processed")
PREDICTIONS, TARGET = Path("data/predictions"), Path("reports")
LOSS = ("step", "loss")
SHOWN = ("slices", "probes", "compare", "train")
SEEDED = ("train", "teach", "evaluate")


def main() -> None:
    params = load_params(Params)
    method = params.rl.method
    metrics, probes, teach, model = (
        read_json(METRICS / f"{name}.json")
        for name in ("evaluate", "probes", "teach", "fetch_model")
    )
    page = render(
        main=method,
        metrics=metrics,
        teach=teach,
        model=model,
        **{name: read_json(METRICS / f"{name}.json") for name in SHOWN},
        methods={
            name: read_json(METRICS / f"rl_{name}.json")
            for name in METHODS
            if name in metrics["systems"]
        },
        curves=read_plot(PLOTS / "learning_curves.tsv", ["method"]),
        train_loss=read_plot(PLOTS / "loss_train.tsv", LOSS),
        val_loss=read_plot(PLOTS / "loss_val.tsv", LOSS),
        row_counts={
            name: read_json(METRICS / f"{name}.json") for name in ("fetch_reviews", "prepare")
        },
        examples=moved_most(PROCESSED, PREDICTIONS, "sft", method, params.report.num_examples),
        k=params.rl.recipe.k,
        delta=params.evaluate.delta,
    )
    summary = summary_markdown(metrics, method, probes, teach, model)
    with atomic_folder(TARGET) as draft:
        write_text(draft / "report.html", page)
        write_text(draft / "summary.md", summary)
    seeds = {name: getattr(params, name).seed for name in SEEDED}
    seeds["rl"] = params.rl.recipe.seed
    write_json(METRICS / "provenance.json", {"seeds": seeds, "report": provenance()})
    print(f"report: {TARGET / 'report.html'}, {TARGET / 'summary.md'}")


if __name__ == "__main__":
    run_stage(main)
