"""Fine-tune a base model on a data set, with the trainer that supports the method."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from newsrec.models.weights import read_weights
from newsrec.training import llamafactory, peft_methods, runs
from newsrec.training.dataset import SPLITS, SampleSet
from newsrec.training.methods import UNMERGEABLE
from newsrec.training.trackers import Tracker, tracker_arguments

# Supervised fine-tuning: the loss is computed on the tokens of the answer.
Objective = Literal["sft"]


def fine_tune(
    *,
    base: Path,
    samples: SampleSet,
    objective: Objective,
    template: str,
    work: Path,
    target: Path,
    method: str,
    options: dict[str, Any],
    cutoff_len: int,
    seed: int,
    report_to: Tracker = "none",
    processes: int = 1,
    **trainer: Any,
) -> runs.Outcome:
    """Train `base` on `samples` and write the result to `target`.

    Args:
        base: folder of the base model.
        samples: the samples to train and validate on, as a whole and in parts.
        objective: the objective that is minimised.
        template: LLaMA-Factory's name of the chat template; `auto`: the tokenizer's own template.
        work: folder for checkpoints and log, kept if the run is interrupted; the caller deletes it.
        target: an existing empty folder for the result: an adapter of PEFT or `adapters`, or the
            weights of a model, and train.yaml, with which the training can be repeated by hand.
        method: a method in `newsrec.training.methods`.
        options: the options of the method, see `llamafactory` and `peft_worker`.
        cutoff_len: maximum number of tokens of a sample.
        seed: the seed for everything random.
        report_to: an installed tracker, or none.
        processes: number of processes that share a batch on a CPU; a divisor of `batch_size`.
        trainer: see `runs.trainer_arguments`.

    Returns:
        The outcome of the run; its `metric_curves` are the losses of the parts, by name.

    Raises:
        UserError: a trainer is not installed correctly, the base is damaged, or see `runs.run`.
    """
    processes = runs.sharing_processes(processes)
    chosen = peft_methods if method in UNMERGEABLE else llamafactory
    output, parts = work / "output", samples.val_parts()
    # If there are parts, the Trainer names each loss after its data set.
    of_part = {part: f"{samples.dataset(f'val_{part}')}_loss" for part in parts}
    val_loss = f"eval_{samples.dataset('val')}_loss" if parts else "eval_loss"
    settings = {"options": options, "cutoff_len": cutoff_len, "seed": seed, **trainer}
    arguments = chosen.arguments(
        base=base,
        samples=samples,
        objective=objective,
        template=template,
        method=method,
        options=options,
        cutoff_len=cutoff_len,
        early_stopping=trainer["early_stopping"],
        trainer=runs.trainer_arguments(
            output=output, seed=seed, report_to=report_to, processes=processes, **trainer
        )
        | {"metric_for_best_model": val_loss}
        | tracker_arguments(report_to, method, settings),
    )
    read_weights(base)
    outcome = runs.run(
        chosen.WORKER,
        arguments,
        work,
        base=base,
        samples=[samples.file(split) for split in (*SPLITS, *(f"val_{part}" for part in parts))],
        output=output,
        seed=seed,
        method=method,
        report_to=report_to,
        val_loss=val_loss,
        processes=processes,
    )
    for path in chosen.trained_files(output, method, options):
        shutil.copyfile(path, target / path.name)
    shutil.copyfile(work / "train.yaml", target / "train.yaml")
    return replace(outcome, metric_curves={p: outcome.metric_curves[of_part[p]] for p in parts})
