"""Fine-tune the base model on a data set by the method that `train.method` names.

Reads   params: train, model.template; models/base, metrics/fetch_model.json, and of data/processed
        dataset_info.json, protocol.json, NAME_train.jsonl, NAME_val.jsonl and, if there is one,
        the folder NAME_val; waits for models/checked/base.json
Writes  models/adapter, metrics/train.json, metrics/timings/train.json, plots/loss_train.tsv,
        plots/loss_val.tsv, and plots/loss_val_parts.tsv if the validation samples have parts
Run     dvc repro train      (alone: python -m stages.train NAME, like mind)
By hand llamafactory-cli train models/adapter/train.yaml      (p-tuning-v2 and adapter:
        python -m newsrec.training.peft_worker models/adapter/train.yaml)

An interrupted run resumes from its last checkpoint in .work/train.
"""

import shutil
import sys
from pathlib import Path

from newsrec.errors import UserError
from newsrec.files import atomic_folder, read_json, write_json, write_tsv
from newsrec.models.facts import count_parameters
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.params.train import trainer_values
from newsrec.preflight.doctor import check_machine
from newsrec.provenance import provenance
from newsrec.running.stage import run_stage
from newsrec.training.dataset import SPLITS, SampleSet
from newsrec.training.fine_tuning import fine_tune
from newsrec.training.precision import choose_precision
from newsrec.training.runs import outcome_metrics
from newsrec.training.same_tokens import check_same_tokens

BASE = Path("models/base")
DATA = Path("data/processed")
TARGET = Path("models/adapter")
WORK = Path(".work/train")
NUM_COMPARED = 50  # samples whose tokens are compared with those of scoring


def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("expected: python -m stages.train NAME, a data set of data/processed")
    params = load_params(SharedParams)
    check_machine(params, "train")
    made_by = provenance()  # now: while it trains, somebody may commit
    samples, train = SampleSet(DATA, sys.argv[1]), params.train
    arguments = trainer_values(train) | {"precision": choose_precision(train.precision)}
    for split in SPLITS:
        file, template = samples.file(split), params.model.template
        check_same_tokens(BASE, file, template, train.cutoff_len, NUM_COMPARED)
    with atomic_folder(TARGET) as draft:
        outcome = fine_tune(
            base=BASE,
            samples=samples,
            objective="sft",
            template=params.model.template,
            work=WORK,
            target=draft,
            **arguments,
        )
        protocol = {
            **read_json(DATA / "protocol.json"),
            **read_json(Path("metrics/fetch_model.json"))["protocol"],
            "method": train.method,
            "train_seed": str(train.seed),
        }
        metrics = outcome_metrics(outcome, train.method, count_parameters(BASE), draft)
        metrics |= {"precision": arguments["precision"], "protocol": protocol}
        write_json(draft / "protocol.json", protocol)
    write_tsv(Path("plots/loss_train.tsv"), ("step", "loss"), outcome.train_curve)
    write_tsv(Path("plots/loss_val.tsv"), ("step", "loss"), outcome.val_curve)
    if parts := outcome.metric_curves:
        metrics["val_loss_by_part"] = {name: dict(parts[name])[outcome.kept_step] for name in parts}
        steps = [(at, *(dict(parts[name])[at] for name in parts)) for at, _ in outcome.val_curve]
        write_tsv(Path("plots/loss_val_parts.tsv"), ("step", *parts), steps)
    write_json(Path("metrics/train.json"), metrics)
    write_json(Path("metrics/timings/train.json"), {"provenance": made_by})
    shutil.rmtree(WORK)
    print(
        f"train: {train.method}, {metrics['num_steps']} steps, loss {metrics['train_loss']:.4f}, "
        f"validation {metrics['val_loss']:.4f} at step {metrics['kept_step']}, in {TARGET}"
    )


if __name__ == "__main__":
    run_stage(main)
