"""The Hugging Face Trainer in the frame that every training of the project runs in.

A worker of the project's own calls `run_trainer` with its model, its samples and its Trainer; it
then resumes, stops early, stops at a broken loss and leaves the files that `runs` reads.
"""

from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from newsrec.training.callbacks import (
    EvaluateLastStep,
    Meter,
    SeedEpochs,
    StopAtBrokenLoss,
)


def run_trainer(
    kind: type[Trainer],
    arguments: TrainingArguments,
    early_stopping: int | None,
    **trainer: Any,
) -> bool:
    """Train from the last checkpoint if there is one, to the end.

    Args:
        kind: the Trainer, or a subclass with an objective or a way to save of its own.
        arguments: made of `runs.trainer_arguments` and what the worker adds.
        early_stopping: validations in a row without a better one; None: never.
        trainer: what else the Trainer takes: model, samples, collator.

    Returns:
        Whether this is the process that writes the result.
    """
    callbacks = [StopAtBrokenLoss(), EvaluateLastStep(), SeedEpochs(), Meter()]
    if early_stopping is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping))
    made = kind(args=arguments, callbacks=callbacks, **trainer)
    output = Path(arguments.output_dir)
    made.train(resume_from_checkpoint=get_last_checkpoint(output) if output.is_dir() else None)
    made.save_state()
    is_first: bool = made.is_world_process_zero()
    return is_first
