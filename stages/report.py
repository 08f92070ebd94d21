"""Write the page that a person reads and the table for a pull request.

Reads   params: report, and all that say what was measured; metrics, plots and predictions
Writes  reports/report.html, reports/summary.md
Run     dvc repro report      (alone: python -m stages.report)
"""

from pathlib import Path

import pandas as pd

from newsrec.errors import run_stage
from newsrec.files import atomic_folder, read_json, write_text
from newsrec.params import Params, load_params
from newsrec.predictions import read_predictions
from newsrec.prompts import PROMPT_VERSION
from newsrec.report.page import most_confident_mistakes, render, summary_markdown

METRICS = Path("metrics")
TARGET = Path("reports")


def main() -> None:
    params = load_params()
    metrics = read_json(METRICS / "evaluate.json")
    model = read_json(METRICS / "model.json")
    protocol = _protocol(params, model)
    timings = {path.stem: read_json(path) for path in sorted((METRICS / "timings").glob("*.json"))}
    mistakes = most_confident_mistakes(
        pd.read_parquet("data/processed/candidates_test.parquet"),
        read_predictions(Path("data/predictions/tuned.parquet")),
        params.report.num_mistakes,
    )
    page = render(
        metrics=metrics,
        model=model,
        provenance=protocol,
        train_loss=pd.read_csv("plots/loss_train.tsv", sep="\t"),
        val_loss=pd.read_csv("plots/loss_val.tsv", sep="\t"),
        mistakes=mistakes,
        timings=timings,
        row_counts=read_json(METRICS / "preprocess.json"),
    )
    with atomic_folder(TARGET) as draft:
        write_text(draft / "report.html", page)
        write_text(draft / "summary.md", summary_markdown(metrics, model, protocol))
    print(f"report: {TARGET / 'report.html'}, {TARGET / 'summary.md'}")


def _protocol(params: Params, model: dict[str, str]) -> dict[str, str]:
    """What was measured on what, and how: two runs compare only where this is the same."""
    mind = read_json(METRICS / "mind.json")
    train = read_json(METRICS / "train.json")
    return {
        "data": f"{mind['source']}, {mind['digest'][:12]}",
        "split": params.mind.split,
        "candidates": params.evaluate.candidates,
        "impressions": str(params.evaluate.num_impressions),
        "feedback": params.prompt.feedback,
        "prompt": PROMPT_VERSION,
        "grouping": "AUC per impression, then the mean",
        "model": f"{model['name']}, revision {model['revision']}, {model['digest'][:12]}",
        "method": f"{params.train.method}, {train['num_steps']} steps",
        "seeds": f"data {params.mind.seed}, samples {params.preprocess.seed}, "
        f"training {params.train.seed}",
    }


if __name__ == "__main__":
    run_stage(main)
