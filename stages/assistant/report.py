"""Write the page of all tasks, the table for a pull request, and what made the figures.

Reads   params: report, prepare.seed, train.seed, evaluate.seed; tasks.yaml,
        metrics/{evaluate,slices,confusion,fetch_model,prepare,train,merge,baselines}.json,
        metrics/score_{base,tuned}.json, metrics/timings/{train,score_base,score_tuned}.json,
        plots/loss_{train,val,val_parts}.tsv, data/processed/test.parquet,
        data/predictions/NAME.parquet
Writes  reports, metrics/provenance.json
Run     dvc repro report      (alone: python -m stages.assistant.report)
"""

from pathlib import Path

from newsrec.assistant.answers import read_answers, read_split
from newsrec.assistant.params import Params
from newsrec.assistant.report.answered import answered_rows
from newsrec.assistant.report.figures import SYSTEMS
from newsrec.assistant.report.page import STAGES, TIMED, render
from newsrec.assistant.report.summary import summary_markdown
from newsrec.assistant.tasks import TABLE, read_tasks
from newsrec.errors import UserError
from newsrec.files import atomic_folder, read_json, read_json_list, write_json, write_text
from newsrec.models.names import MODELS
from newsrec.params.load import load_params
from newsrec.provenance import provenance
from newsrec.report.curves import read_plot
from newsrec.running.stage import run_stage

METRICS, PLOTS, PREDICTIONS = Path("metrics"), Path("plots"), Path("data/predictions")
TARGET = Path("reports")
SEEDED = ("prepare", "train", "evaluate")


def main() -> None:
    params, tasks = load_params(Params), read_tasks()
    metrics = read_json(METRICS / "evaluate.json")
    if unknown := [name for name in metrics["tasks"] if name not in tasks]:
        raise UserError(
            f"{METRICS / 'evaluate.json'}: figures of {', '.join(unknown)}, which {TABLE} does not "
            "have; measure again (dvc repro)"
        )
    stages = {name: read_json(METRICS / f"{name}.json") for name in STAGES}
    rows = read_split(Path("data/processed/test.parquet"), tasks)
    predictions, _ = read_answers(PREDICTIONS, SYSTEMS, MODELS, rows, tasks)
    page = render(
        tasks=tasks,
        metrics=metrics,
        slices=read_json_list(METRICS / "slices.json"),
        confusion=read_json(METRICS / "confusion.json"),
        stages=stages,
        timings={name: read_json(METRICS / f"timings/{name}.json") for name in TIMED},
        answers=answered_rows(rows, predictions),
        train_loss=read_plot(PLOTS / "loss_train.tsv", ("step", "loss")),
        val_loss=read_plot(PLOTS / "loss_val.tsv", ("step", "loss")),
        val_loss_parts=read_plot(PLOTS / "loss_val_parts.tsv", ("step",)),
        num_examples=params.report.num_examples,
        num_mistakes=params.report.num_mistakes,
    )
    with atomic_folder(TARGET) as draft:
        write_text(draft / "report.html", page)
        write_text(draft / "summary.md", summary_markdown(metrics, stages["fetch_model"]))
    seeds = {name: getattr(params, name).seed for name in SEEDED}
    write_json(METRICS / "provenance.json", {"seeds": seeds, "report": provenance()})
    print(f"report: {TARGET / 'report.html'}, {TARGET / 'summary.md'}")


if __name__ == "__main__":
    run_stage(main)
