"""Code shared by all trainers: a run in a separate process, its checkpoints and its curves.

A trainer is a worker module that reads a YAML file. Its output folder has the files of the Hugging
Face Trainer (trainer_state.json and checkpoints) and the file that `Meter` writes.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from newsrec.errors import UserError
from newsrec.files import read_json, sha256_file, sha256_folder, write_json, write_text
from newsrec.models.facts import count_parameters
from newsrec.models.threads import threads_environment
from newsrec.running.processes import run_shown
from newsrec.training.advice import Advice, explain_failure
from newsrec.training.methods import WHOLE
from newsrec.training.precision import Precision
from newsrec.training.trackers import Tracker, tracker_environment

# The (step, value) points of one split.
Curve = list[tuple[int, float]]

# Values that the Trainer logs for a validation in addition to losses and metrics.
_SPEED = ("_runtime", "_samples_per_second", "_steps_per_second")


@dataclass(frozen=True)
class Outcome:
    """The outcome of a finished run; losses are in nats per answer token, or per text."""

    num_trainable_parameters: int
    num_steps: int
    num_epochs: float
    kept_step: int  # with the kept weights: the lowest validation loss, or the best metric
    train_curve: Curve
    val_curve: Curve
    # For validation, by name: additional metrics of the worker, or the loss of each part.
    metric_curves: dict[str, Curve]
    seconds: float  # in training steps of the last process
    tokens_per_second: float  # without padding
    peak_memory_bytes: int  # of the (first) GPU, or of RAM if there is no GPU
    num_processes: int  # of GPUs, each with a whole batch, or of a CPU, which share one


def trainer_arguments(
    *,
    output: Path,
    lr: float,
    scheduler: str,
    warmup_ratio: float,
    epochs: float,
    max_steps: int,
    batch_size: int,
    gradient_accumulation_steps: int,
    precision: Precision,
    group_by_length: bool,
    logging_steps: int,
    save_steps: int,
    early_stopping: int | None,
    seed: int,
    report_to: Tracker = "none",
    processes: int = 1,
) -> dict[str, Any]:
    """The arguments that every trainer passes to the Hugging Face Trainer, by its own names.

    Each of `processes` computes its share of a batch.
    """
    return {
        "output_dir": str(output),
        "overwrite_output_dir": False,  # so that a second start resumes from the last checkpoint
        "do_train": True,
        "do_eval": True,
        "logging_steps": logging_steps,
        "logging_nan_inf_filter": False,  # otherwise NaN would be logged as the last loss
        "eval_strategy": "steps",
        "eval_steps": save_steps,  # otherwise the best step might have no checkpoint
        "save_strategy": "steps",
        "save_steps": save_steps,
        # The best one, the last one and the one before, from which a run resumes if it is killed
        # after the last step.
        "save_total_limit": 3,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        # Otherwise a resumed run forgets how many validations brought no improvement.
        "restore_callback_states_from_checkpoint": early_stopping is not None,
        "report_to": report_to,
        "per_device_train_batch_size": batch_size // processes,
        "per_device_eval_batch_size": batch_size,
        "gradient_accumulation_steps": gradient_accumulation_steps,
        "learning_rate": lr,
        "num_train_epochs": epochs,
        "max_steps": max_steps,
        "lr_scheduler_type": scheduler,
        "warmup_ratio": warmup_ratio,
        "bf16": precision == "bf16",
        "include_num_input_tokens_seen": "non_padding",
        "seed": seed,
        "data_seed": seed,
        # Omitted if they are off, so that older runs count as the same run.
        **({"fp16": True} if precision == "fp16" else {}),
        **({"group_by_length": True} if group_by_length else {}),
    }


def sharing_processes(wanted: int) -> int:
    """The number of processes that share a batch: `wanted` on a CPU; a GPU computes whole ones."""
    from torch import cuda  # takes seconds to import

    return 1 if cuda.device_count() else wanted


def run(
    worker: str,
    arguments: Mapping[str, Any],
    work: Path,
    *,
    base: Path,
    samples: list[Path],
    output: Path,
    seed: int,
    method: str,
    report_to: Tracker = "none",
    advice: Advice | None = None,
    val_loss: str = "eval_loss",
    processes: int = 1,
) -> Outcome:
    """Run `worker` on `arguments`, from the last checkpoint of the same run if there is one.

    If PyTorch sees several GPUs, it runs on all of them (with torchrun), and the number of samples
    per step is multiplied by the number of GPUs.

    Args:
        worker: the module that trains; its only argument is the YAML file `work/train.yaml`.
        arguments: the content of that file.
        work: folder that is kept if the run is interrupted; the caller deletes it after use.
        base: folder of the base model, which identifies the run with `samples` and `arguments`.
        samples: the files of the training and validation samples.
        output: the folder below `work` that the worker writes.
        seed: the seed for hashing in the worker.
        method: the fine-tuning method, for advice about memory, see `advice.memory_advice`.
        report_to: the tracker in `arguments`.
        advice: replaces the advice for `method`.
        val_loss: the Trainer's name of the validation loss.
        processes: the number that `arguments` are for, see `sharing_processes`.

    Raises:
        UserError: it ran out of memory, a loss is not a number, or the worker failed otherwise.
    """
    from torch import cuda  # takes seconds to import

    num_processes = max(processes, cuda.device_count())
    _keep_only_same_run(dict(arguments) | {"num_processes": num_processes}, base, samples, work)
    _drop_useless_checkpoints(output)
    config = work / "train.yaml"
    write_text(config, yaml.safe_dump(dict(arguments), sort_keys=False))
    env = {
        # The cache of tokenized samples belongs to the run, not to the user's home.
        "HF_DATASETS_CACHE": str(work / "datasets"),
        # PEFT writes a set to adapter_config.json, in an order that depends on hashing.
        "PYTHONHASHSEED": str(seed),
        **threads_environment(count_parameters(base)),
        **tracker_environment(report_to),
        # Otherwise accelerate calls it cpu:0, for which PyTorch loads no optimizer to resume with.
        **({"ACCELERATE_TORCH_DEVICE": "cpu"} if processes > 1 else {}),
    }
    log = work / "train.log"
    finished = run_shown([*_launcher(num_processes), "-m", worker, config], env, log)
    if finished.code != 0:
        raise UserError(explain_failure(finished, method, log, advice))
    return _read_outcome(output, val_loss)


def _launcher(num_processes: int) -> list[str | Path]:
    """Python, or torchrun for several processes."""
    if num_processes == 1:
        return [sys.executable]
    elastic = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"]
    return [sys.executable, *elastic]


def _read_outcome(output: Path, val_loss: str) -> Outcome:
    state = read_json(output / "trainer_state.json")
    num_steps = state["global_step"]
    curves: dict[str, Curve] = {"loss": [], val_loss: []}
    for entry in state["log_history"]:
        for key in entry:
            if key == "loss" or (key.startswith("eval_") and not key.endswith(_SPEED)):
                curves.setdefault(key, []).append((entry["step"], entry[key]))
    if not curves["loss"]:
        raise UserError(
            f"{output}: no training loss was logged in {num_steps} steps; lower "
            "train.logging_steps to this number or less"
        )
    meter = read_json(output / "meter.json")
    return Outcome(
        num_trainable_parameters=meter["num_trainable_parameters"],
        num_steps=num_steps,
        num_epochs=state["epoch"],
        kept_step=state["best_global_step"],
        train_curve=curves.pop("loss"),
        val_curve=curves.pop(val_loss),
        metric_curves={name.removeprefix("eval_"): curves[name] for name in sorted(curves)},
        seconds=meter["seconds"],
        tokens_per_second=meter["num_tokens"] / meter["seconds"],
        peak_memory_bytes=meter["peak_memory_bytes"],
        num_processes=meter["num_processes"],
    )


def _keep_only_same_run(
    arguments: Mapping[str, Any], base: Path, samples: list[Path], work: Path
) -> None:
    """Empty `work` unless its checkpoints belong to these arguments, this model and samples."""
    identity = {
        "arguments": dict(arguments),
        "base": sha256_folder(base),
        "samples": [sha256_file(path) for path in samples],
    }
    path = work / "run.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != identity:
        shutil.rmtree(work)
    write_json(path, identity)


def _drop_useless_checkpoints(output: Path) -> None:
    """Remove checkpoints that training cannot resume from.

    These are checkpoints that a kill left incomplete (trainer_state.json is written last), and
    those of a finished training, from which the Trainer would train too long or measure nothing.
    """
    for checkpoint in output.glob("checkpoint-*"):
        try:
            state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            shutil.rmtree(checkpoint)
            continue
        if state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]:
            shutil.rmtree(checkpoint)


def outcome_metrics(
    outcome: Outcome, method: str, num_base_parameters: int, trained: Path
) -> dict[str, Any]:
    """A run's figures under the keys of metrics/train.json.

    Args:
        outcome: the outcome of the run.
        method: the fine-tuning method.
        num_base_parameters: number of parameters of the base model.
        trained: folder of the trained weights.
    """
    num_trainable = outcome.num_trainable_parameters
    total = num_base_parameters if method in WHOLE else num_base_parameters + num_trainable
    return {
        "method": method,
        "num_trainable_parameters": num_trainable,
        "num_total_parameters": total,
        "trainable_share": num_trainable / total,
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
