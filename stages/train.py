"""Fine-tune the base model with LoRA through LLaMA-Factory.

Reads   params: train, model.template, preprocess, prompt; models/base, data/processed,
        metrics/{mind,model}.json
Writes  models/adapter, metrics/train.json, metrics/timings/train.json, plots/loss_{train,val}.tsv
Run     dvc repro train      (alone: python -m stages.train)
By hand llamafactory-cli train models/adapter/train.yaml

An interrupted run goes on from its last checkpoint in .work/train.
"""

import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch

from newsrec.errors import UserError, run_stage
from newsrec.files import atomic_folder, read_json, write_json, write_tsv
from newsrec.models.checks import count_parameters
from newsrec.params import Params, load_params
from newsrec.prompts import prompt_protocol
from newsrec.training import llamafactory
from newsrec.training.same_tokens import check_same_tokens

BASE = Path("models/base")
DATA = Path("data/processed")
TARGET = Path("models/adapter")
WORK = Path(".work/train")
NUM_COMPARED = 50  # samples whose tokens are held against those of scoring


def main() -> None:
    started = time.perf_counter()
    params = load_params()
    arguments = _arguments(params)
    for split in ("train", "val"):
        samples = DATA / f"mind_{split}.jsonl"
        cutoff_len = params.train.cutoff_len
        check_same_tokens(BASE, samples, params.model.template, cutoff_len, NUM_COMPARED)
    output = llamafactory.train(arguments, WORK)

    with atomic_folder(TARGET) as draft:
        for name in llamafactory.ADAPTER_FILES:
            shutil.copyfile(output / name, draft / name)
        shutil.copyfile(WORK / "train.yaml", draft / "train.yaml")
    curves = llamafactory.read_log(output)
    for split, points in zip(("train", "val"), curves, strict=True):
        write_tsv(Path(f"plots/loss_{split}.tsv"), ("step", "loss"), points)
    metrics = _metrics(read_json(output / "trainer_state.json"), curves, arguments["bf16"])
    metrics["protocol"] = _protocol(params)
    write_json(Path("metrics/train.json"), metrics)
    results = read_json(output / "all_results.json")
    write_json(Path("metrics/timings/train.json"), _timings(results, time.perf_counter() - started))
    shutil.rmtree(WORK)
    print(
        f"train: {metrics['num_steps']} steps, loss {metrics['train_loss']:.4f}, validation "
        f"{metrics['val_loss']:.4f}, adapter in {TARGET}"
    )


def _arguments(params: Params) -> dict[str, Any]:
    train = params.train
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if train.precision == "bf16" and not has_bf16:
        raise UserError("train.precision is bf16, and no GPU here has it; set it to auto or fp32")
    return llamafactory.recipe(
        base=BASE,
        data=DATA,
        train_dataset="mind_train",
        val_dataset="mind_val",
        output=WORK / "output",
        template=params.model.template,
        rank=train.rank,
        alpha=train.alpha,
        dropout=train.dropout,
        targets=train.targets,
        lr=train.lr,
        scheduler=train.scheduler,
        warmup_ratio=train.warmup_ratio,
        epochs=train.epochs,
        max_steps=train.max_steps,
        batch_size=train.batch_size,
        gradient_accumulation_steps=train.gradient_accumulation_steps,
        cutoff_len=train.cutoff_len,
        bf16=has_bf16 and train.precision != "fp32",
        logging_steps=train.logging_steps,
        eval_steps=train.eval_steps,
        save_steps=train.save_steps,
        seed=train.seed,
    )


def _metrics(
    state: dict[str, Any], curves: tuple[llamafactory.Curve, llamafactory.Curve], bf16: bool
) -> dict[str, Any]:
    trainable, base = count_parameters(TARGET), count_parameters(BASE)
    train_points, val_points = curves
    return {
        "num_trainable_parameters": trainable,
        "num_total_parameters": trainable + base,
        "trainable_share": trainable / (trainable + base),
        "adapter_bytes": sum((TARGET / name).stat().st_size for name in llamafactory.ADAPTER_FILES),
        "num_steps": state["global_step"],
        "num_epochs": state["epoch"],
        # Of the curve: the trainer's own mean forgets what came before a resumption.
        "train_loss": sum(loss for _, loss in train_points) / len(train_points),
        "val_loss": val_points[-1][1],
        "bf16": bf16,
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


def _timings(results: dict[str, Any], seconds: float) -> dict[str, float]:
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": seconds,
        "samples_per_second": results["train_samples_per_second"],
        "tokens_per_second": results["effective_tokens_per_sec"],
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit,
    }


if __name__ == "__main__":
    run_stage(main)
