"""What the workers add to the Hugging Face Trainer."""

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
    """Ends the process at the first step whose loss is no finite number, before it spoils a weight.

    Read from the gradients, which are there at every step: a loss that is NaN or infinite leaves
    no finite one behind. The loss itself is only seen where it is logged.
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
    """Validates after the last step too, whose checkpoint could else never be the best one."""

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
    """Gives back the random numbers that validation on parts draws.

    So training is the same with and without them. The whole is validated on before its parts.
    """

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        # Early stopping waits for the loss of the whole, and warns at each part that it is not it.
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
    """Draws the order of the samples of each epoch from the seed and the epoch alone.

    A resumed run would else meet them in another order. With `group_by_length` the Trainer draws
    from what the epochs before left of the random numbers. Without it accelerate 1.11 takes the
    order of the first epoch wherever it passes over batches that were trained on already.
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
        while hasattr(batches, "batch_sampler"):  # of several processes: each takes its share
            batches = batches.batch_sampler
        generator = torch.Generator().manual_seed(args.data_seed + int(state.epoch))
        if args.group_by_length:
            batches.sampler.generator = generator
        else:
            # The order that accelerate draws, which sets no epoch of this sampler.
            batches.sampler = RandomSampler(batches.sampler.data_source, generator=generator)


class Meter(TrainerCallback):  # type: ignore[misc]
    """Writes what a run took: seconds in training steps, tokens in them, peak memory.

    Tokens are those of all processes, memory is that of the first.
    """

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        self._steps: list[tuple[float, int]] = []
        # Not at the beginning of a step: the Trainer has then counted the step's first samples.
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
                "steps": self._steps,  # seconds of each, and tokens up to its end
                "num_processes": args.world_size,
                "peak_memory_bytes": _peak_memory(),
            },
        )


class KeepFourBitLayout(TrainerCallback):  # type: ignore[misc]
    """Keeps 4-bit weights as they are through validation on a CPU.

    On CPUs with AVX512-BF16, bitsandbytes 0.50.2 packs them again at the first validation, with
    rounded scales and for widths that are multiples of 64 alone, and trains on from that.
    """

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        from bitsandbytes.nn import Linear4bit  # of no use to the other methods

        for module in kwargs["model"].modules():
            if isinstance(module, Linear4bit):
                module.support_avx512bf16_for_cpu = False


class KeepPissaStart(TrainerCallback):  # type: ignore[misc]
    """Keeps the adapter that PiSSA began with through a resumption.

    LLaMA-Factory saves it at the start of training and subtracts it at the end; on resumption it
    saves the resumed adapter in its place, and the end result would be off by what was learned
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
    """Bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
