"""Fine-tune the base model into a classifier of texts: LoRA and a head.

Reads   params: train, classifier; models/base, metrics/fetch_model.json,
        data/processed/train.parquet, data/processed/val.parquet
Writes  models/adapter, metrics/train.json, metrics/timings/train.json, plots/loss_train.tsv,
        plots/loss_val.tsv, plots/macro_f1_val.tsv
Run     dvc repro train      (alone: python -m stages.safety.train)
By hand python -m newsrec.training.classification_worker models/adapter/train.yaml

An interrupted run resumes from its last checkpoint in .work/train.
"""

import shutil
from pathlib import Path

from newsrec.files import atomic_folder, read_json, sha256_file, write_json, write_tsv
from newsrec.models.facts import count_parameters
from newsrec.params.load import load_params
from newsrec.params.train import trainer_values
from newsrec.preflight.doctor import check_machine
from newsrec.provenance import provenance
from newsrec.running.stage import run_stage
from newsrec.safety.labels import CLASSES
from newsrec.safety.params import Params
from newsrec.safety.tables import TEXT
from newsrec.training.classification import METRIC, fine_tune_classifier
from newsrec.training.labelled import LabelledTexts
from newsrec.training.precision import choose_precision
from newsrec.training.runs import outcome_metrics

BASE = Path("models/base")
TRAIN = Path("data/processed/train.parquet")
VAL = Path("data/processed/val.parquet")
TARGET = Path("models/adapter")
WORK = Path(".work/train")


def main() -> None:
    params = load_params(Params)
    check_machine(params, "train")
    made_by = provenance()  # now: while it trains, somebody may commit
    precision = choose_precision(params.train.precision)
    with atomic_folder(TARGET) as draft:
        outcome = fine_tune_classifier(
            base=BASE,
            samples=LabelledTexts(TRAIN, VAL, TEXT, "label", CLASSES),
            work=WORK,
            target=draft,
            class_weights=params.classifier.class_weights,
            **trainer_values(params.train) | {"precision": precision},
        )
        protocol = {
            **read_json(Path("metrics/fetch_model.json"))["protocol"],
            "data": sha256_file(TRAIN)[:12],
            "cutoff_len": str(params.train.cutoff_len),
            "class_weights": params.classifier.class_weights,
            "method": params.train.method,
            "train_seed": str(params.train.seed),
        }
        write_json(draft / "protocol.json", protocol)
        metrics = outcome_metrics(outcome, params.train.method, count_parameters(BASE), draft)
    scores = outcome.metric_curves[METRIC]
    metrics |= {
        f"val_{METRIC}": dict(scores)[outcome.kept_step],
        "precision": precision,
        "protocol": protocol,
    }
    write_tsv(Path("plots/loss_train.tsv"), ("step", "loss"), outcome.train_curve)
    write_tsv(Path("plots/loss_val.tsv"), ("step", "loss"), outcome.val_curve)
    write_tsv(Path("plots/macro_f1_val.tsv"), ("step", METRIC), scores)
    write_json(Path("metrics/train.json"), metrics)
    write_json(Path("metrics/timings/train.json"), {"provenance": made_by})
    shutil.rmtree(WORK)
    print(
        f"train: {metrics['num_steps']} steps, loss {metrics['train_loss']:.4f}, validation "
        f"{metrics['val_loss']:.4f}, macro-F1 {metrics[f'val_{METRIC}']:.4f} at step "
        f"{metrics['kept_step']}, in {TARGET}"
    )


if __name__ == "__main__":
    run_stage(main)
