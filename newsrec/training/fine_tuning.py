"""Fine-tune a base model on a data set, by whichever trainer knows the method."""

import shutil
from pathlib import Path
from typing import Any, Literal

from newsrec.models.weights import read_weights
from newsrec.training import llamafactory, peft_methods, runs
from newsrec.training.dataset import SPLITS, SampleSet
from newsrec.training.methods import UNMERGEABLE
from newsrec.training.trackers import Tracker, tracker_arguments

# Supervised fine-tuning: the loss is of the answer's tokens.
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
    **trainer: Any,
) -> runs.Outcome:
    """Train `base` on `samples` and write what came of it into `target`.

    Args:
        base: folder of the base model.
        samples: to train and validate on.
        objective: what is minimised.
        template: LLaMA-Factory's name of the chat template; `auto`: the tokenizer's own.
        work: checkpoints and log; kept when the run is interrupted, for the caller to drop.
        target: an existing empty folder: gets a PEFT adapter, one of `adapters`, or a model's
            weights, and train.yaml, which runs the same training by hand.
        method: a method of `newsrec.training.methods`.
        options: of the method, see `llamafactory` and `peft_worker`.
        cutoff_len: tokens of a sample at most.
        seed: of everything random.
        report_to: a tracker that is installed, or none.
        trainer: see `runs.trainer_arguments`.

    Raises:
        UserError: a trainer is not installed as it should be, the base is damaged, or see
            `runs.run`.
    """
    chosen = peft_methods if method in UNMERGEABLE else llamafactory
    output = work / "output"
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
        trainer=runs.trainer_arguments(output=output, seed=seed, report_to=report_to, **trainer)
        | tracker_arguments(report_to, method, settings),
    )
    read_weights(base)
    outcome = runs.run(
        chosen.WORKER,
        arguments,
        work,
        base=base,
        samples=[samples.file(split) for split in SPLITS],
        output=output,
        seed=seed,
        method=method,
        report_to=report_to,
    )
    for path in chosen.trained_files(output, method, options):
        shutil.copyfile(path, target / path.name)
    shutil.copyfile(work / "train.yaml", target / "train.yaml")
    return outcome
