"""The Hugging Face Trainer in the frame that every training of the project runs in.

A worker of the project's own calls `run_trainer` with its model, its samples and its Trainer; it
then resumes, stops early, stops at a broken loss and leaves the files that `runs` reads.
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
    """Checkpoints hold the weights that are trained, all of them and no others.

    So a model may be any module. Of a prefix, PEFT's own file holds what the projection computed,
    from which training cannot go on.
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
    """Train from the last checkpoint if there is one, to the end.

    Args:
        kind: the Trainer, or a subclass with an objective or a way to save of its own.
        arguments: made of `runs.trainer_arguments` and what the worker adds.
        early_stopping: validations in a row without a better one; None: never.
        trainer: what else the Trainer takes: model, samples, collator. The samples to validate on
            may be several by name: the whole first, then its parts.

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
