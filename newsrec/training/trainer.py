"""Run the Hugging Face Trainer with the features that all trainings of the project share.

A worker calls `run_trainer` with its model, samples and Trainer. The training then resumes, stops
early, stops if the loss is not a number, and writes the files that `runs` reads.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import EarlyStoppingCallback, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from newsrec.training.callbacks import (
    EvaluateLastStep,
    Meter,
    SeedEpochs,
    StopAtBrokenLoss,
    ValidateParts,
)

_TRAINED = "trained.safetensors"


class TrainedWeightsTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose checkpoints contain exactly the trained weights.

    The model may therefore be any module. For a prefix, PEFT's own file contains the output of the
    projection, from which training cannot be resumed.
    """

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: weight.detach().contiguous() for name, weight in self._trained()}
        save_file(weights, folder / _TRAINED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        saved = load_file(Path(resume_from_checkpoint) / _TRAINED)
        with torch.no_grad():
            for name, weight in self._trained():
                weight.copy_(saved[name])

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(self.state.best_model_checkpoint)

    def _trained(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        return (
            (name, weight)
            for name, weight in self.accelerator.unwrap_model(self.model).named_parameters()
            if weight.requires_grad
        )


def run_trainer(
    kind: type[Trainer],
    arguments: TrainingArguments,
    early_stopping: int | None,
    **trainer: Any,
) -> bool:
    """Train to the end, from the last checkpoint if there is one.

    Args:
        kind: the Trainer, or a subclass with its own objective or way to save.
        arguments: those of `runs.trainer_arguments` and of the worker.
        early_stopping: number of validations without improvement after which to stop; None: never.
        trainer: further arguments of the Trainer: model, samples, collator. The validation samples
            may be several sets by name: the whole first, then its parts.

    Returns:
        Whether this is the process that writes the result.
    """
    callbacks = [StopAtBrokenLoss(), EvaluateLastStep(), SeedEpochs(), Meter()]
    if isinstance(trainer["eval_dataset"], dict):
        callbacks.append(ValidateParts())
    if early_stopping is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping))
    made = kind(args=arguments, callbacks=callbacks, **trainer)
    output = Path(arguments.output_dir)
    made.train(resume_from_checkpoint=get_last_checkpoint(output) if output.is_dir() else None)
    made.save_state()
    is_first: bool = made.is_world_process_zero()
    return is_first
