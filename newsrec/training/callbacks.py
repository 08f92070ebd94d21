"""Callbacks that the workers add to the Hugging Face Trainer."""

import logging
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import RandomSampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from newsrec.files import write_json


class StopAtBrokenLoss(TrainerCallback):  # type: ignore[misc]
    """End the process at the first step whose loss is not finite, before any weight changes.

    This is checked with the gradients, which exist at every step and are not finite if the loss is
    not. The loss itself is only available at steps where it is logged.
    """

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        gradients = [
            parameter.grad
            for parameter in kwargs["model"].parameters()
            if parameter.grad is not None
        ]
        if not torch.isfinite(torch.nn.utils.get_total_norm(gradients)):
            self._stop("training", state.global_step + 1)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        losses = [value for name, value in metrics.items() if name.endswith("loss")]
        if not torch.isfinite(torch.tensor(losses)).all():
            self._stop("validation", state.global_step)

    def _stop(self, split: str, step: int) -> None:
        sys.exit(
            f"newsrec: the loss of {split} is not a number at step {step}"
        )  # `advice.BROKEN_LOSS`


class EvaluateLastStep(TrainerCallback):  # type: ignore[misc]
    """Also validate after the last step; otherwise its checkpoint could never be the best."""

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        if state.global_step >= state.max_steps:
            control.should_evaluate = True


class ValidateParts(TrainerCallback):  # type: ignore[misc]
    """Restore the random state after validation on parts.

    Training is therefore the same with and without parts. The whole set is validated before them.
    """

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        # Early stopping needs the loss of the whole set, and would warn at each part.
        logging.getLogger("transformers.trainer_callback").addFilter(
            lambda record: "early stopping required" not in record.getMessage()
        )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        if args.metric_for_best_model in metrics:
            self._state = torch.get_rng_state()
        else:
            torch.set_rng_state(self._state)


class SeedEpochs(TrainerCallback):  # type: ignore[misc]
    """Let the order of the samples in each epoch depend only on the seed and the epoch.

    Otherwise the order would differ in a resumed run: with `group_by_length`, the Trainer's order
    depends on the random state after the previous epochs; without it, accelerate 1.11 uses the
    order of the first epoch when it skips batches that were already trained on.
    """

    def on_epoch_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: Any,
        **kwargs: Any,
    ) -> None:
        batches = train_dataloader.batch_sampler
        while hasattr(batches, "batch_sampler"):  # with several processes, each takes its share
            batches = batches.batch_sampler
        generator = torch.Generator().manual_seed(args.data_seed + int(state.epoch))
        if args.group_by_length:
            batches.sampler.generator = generator
        else:
            # As accelerate orders them, which does not set the epoch of this sampler.
            batches.sampler = RandomSampler(batches.sampler.data_source, generator=generator)


class Meter(TrainerCallback):  # type: ignore[misc]
    """Write the resources of a run: seconds and tokens in training steps, and peak memory.

    Tokens are counted over all processes; memory is that of the first process.
    """

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        self._steps: list[tuple[float, int]] = []
        # Not at the beginning of a step, when the Trainer has already counted its first samples.
        self._tokens_before = state.num_input_tokens_seen

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        self._began = time.perf_counter()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        tokens = state.num_input_tokens_seen - self._tokens_before
        self._steps.append((time.perf_counter() - self._began, tokens))

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        if not state.is_world_process_zero:
            return
        trainable = [p for p in kwargs["model"].parameters() if p.requires_grad]
        write_json(
            Path(args.output_dir) / "meter.json",
            {
                "num_trainable_parameters": sum(parameter.numel() for parameter in trainable),
                "seconds": sum(seconds for seconds, _ in self._steps),
                "num_tokens": state.num_input_tokens_seen - self._tokens_before,
                "steps": self._steps,  # seconds of each step, and tokens up to its end
                "num_processes": args.world_size,
                "peak_memory_bytes": _peak_memory(),
            },
        )


class KeepFourBitLayout(TrainerCallback):  # type: ignore[misc]
    """Keep 4-bit weights unchanged during validation on a CPU.

    On CPUs with AVX512-BF16, bitsandbytes 0.50.2 repacks them at the first validation, with rounded
    scales and only for widths that are multiples of 64, and then trains with the repacked weights.
    """

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        from bitsandbytes.nn import Linear4bit  # only this method needs it

        for module in kwargs["model"].modules():
            if isinstance(module, Linear4bit):
                module.support_avx512bf16_for_cpu = False


class KeepPissaStart(TrainerCallback):  # type: ignore[misc]
    """Keep PiSSA's initial adapter when a run is resumed.

    LLaMA-Factory saves it at the start of training and subtracts it at the end. When a run is
    resumed, it overwrites it with the resumed adapter, and the result would lack what was learned
    before.
    """

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        saved, kept = _pissa_folders(args)
        if state.is_world_process_zero and state.global_step == 0 and saved.exists():
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(saved, kept)

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        saved, kept = _pissa_folders(args)
        if state.is_world_process_zero and kept.exists():
            shutil.rmtree(saved)
            shutil.copytree(kept, saved)


def _pissa_folders(args: TrainingArguments) -> tuple[Path, Path]:
    return Path(args.output_dir) / "pissa_init", Path(args.output_dir) / "pissa_start"


def _peak_memory() -> int:
    """Peak memory in bytes: of the GPU if there is one, else of this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
