"""Fine-tune the base model by the method that `train.method` names.

Reads   params: train, model.template, preprocess, prompt; models/base, data/processed,
        metrics/{mind,model}.json
Writes  models/adapter, metrics/train.json, plots/loss_{train,val}.tsv
Run     dvc repro train      (alone: python -m stages.train)
By hand llamafactory-cli train models/adapter/train.yaml      (p-tuning-v2 and adapter:
        python -m newsrec.training.peft_worker models/adapter/train.yaml)

An interrupted run goes on from its last checkpoint in .work/train.
"""

import shutil
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from newsrec.errors import run_stage
from newsrec.files import atomic_folder, read_json, write_json, write_tsv
from newsrec.models.checks import count_parameters
from newsrec.params import UNMERGEABLE, Params, Recipe, load_params
from newsrec.prompts import prompt_protocol
from newsrec.training import llamafactory, peft_methods
from newsrec.training.runs import Outcome
from newsrec.training.same_tokens import check_same_tokens
from stages.doctor import check_machine

BASE = Path("models/base")
DATA = Path("data/processed")
TARGET = Path("models/adapter")
WORK = Path(".work/train")
NUM_COMPARED = 50  # samples whose tokens are held against those of scoring


def main() -> None:
    params = load_params()
    check_machine(params, "train")
    train = params.train
    arguments = _arguments(train)
    for split in ("train", "val"):
        samples = DATA / f"mind_{split}.jsonl"
        check_same_tokens(BASE, samples, params.model.template, train.cutoff_len, NUM_COMPARED)
    trainer = peft_methods if train.method in UNMERGEABLE else llamafactory
    with atomic_folder(TARGET) as draft:
        outcome = trainer.train(
            base=BASE,
            data=DATA,
            template=params.model.template,
            work=WORK,
            target=draft,
            **arguments,
        )
        metrics = _metrics(train.method, outcome, draft)
        metrics["protocol"] = _protocol(params)
        write_json(draft / "protocol.json", metrics["protocol"])
    write_tsv(Path("plots/loss_train.tsv"), ("step", "loss"), outcome.train_curve)
    write_tsv(Path("plots/loss_val.tsv"), ("step", "loss"), outcome.val_curve)
    write_json(Path("metrics/train.json"), metrics)
    shutil.rmtree(WORK)
    print(
        f"train: {train.method}, {metrics['num_steps']} steps, loss {metrics['train_loss']:.4f}, "
        f"validation {metrics['val_loss']:.4f} at step {metrics['kept_step']}, in {TARGET}"
    )


def _arguments(train: Recipe) -> dict[str, Any]:
    """The recipe under the names of the trainers; what only this method has stands in `options`."""
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    values = asdict(train)
    common = {entry.name: values.pop(entry.name) for entry in fields(Recipe)}
    del common["precision"]
    return {
        **common,
        "bf16": has_bf16 and train.precision != "fp32",
        "method": values.pop("method"),
        "options": values,
    }


def _metrics(method: str, outcome: Outcome, trained: Path) -> dict[str, Any]:
    base = count_parameters(BASE)
    total = base if method in ("full", "freeze") else base + outcome.num_trainable_parameters
    return {
        "method": method,
        "num_trainable_parameters": outcome.num_trainable_parameters,
        "num_total_parameters": total,
        "trainable_share": outcome.num_trainable_parameters / total,
        "adapter_bytes": sum(path.stat().st_size for path in trained.glob("*.safetensors")),
        "num_steps": outcome.num_steps,
        "num_epochs": outcome.num_epochs,
        "kept_step": outcome.kept_step,
        "train_loss": sum(loss for _, loss in outcome.train_curve) / len(outcome.train_curve),
        "val_loss": dict(outcome.val_curve)[outcome.kept_step],
        "seconds": outcome.seconds,
        "tokens_per_second": outcome.tokens_per_second,
        "peak_memory_bytes": outcome.peak_memory_bytes,
        "num_processes": outcome.num_processes,
    }


def _protocol(params: Params) -> dict[str, str]:
    return {
        **read_json(Path("metrics/mind.json"))["protocol"],
        **prompt_protocol(
            params.prompt.feedback, params.prompt.num_history, params.prompt.num_feedback
        ),
        "target": f"{params.preprocess.target}, seed {params.preprocess.seed}",
        **read_json(Path("metrics/model.json"))["protocol"],
        "method": params.train.method,
        "train_seed": str(params.train.seed),
    }


if __name__ == "__main__":
    run_stage(main)
