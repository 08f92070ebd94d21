"""Fine-tuning by LLaMA-Factory, started in a process of its own from a YAML file.

https://github.com/hiyouga/LLaMA-Factory
"""

import importlib.util
import json
import math
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from newsrec.errors import UserError
from newsrec.files import read_json, sha256_file, sha256_folder, write_json, write_text
from newsrec.processes import Finished, run_shown

# The (step, loss) points of one split; nats per answer token.
Curve = list[tuple[int, float]]

# What a trained adapter consists of; everything else in a trainer's folder is its own book-keeping
# (pickles among it) and stays behind.
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")

_OUT_OF_MEMORY = (
    "LLaMA-Factory ran out of memory; lower, in this order: train.batch_size (raise "
    "train.gradient_accumulation_steps by as much), train.cutoff_len, train.rank; or choose a "
    "smaller model"
)


def recipe(
    *,
    base: Path,
    data: Path,
    train_dataset: str,
    val_dataset: str,
    output: Path,
    template: str,
    rank: int,
    alpha: int,
    dropout: float,
    targets: str,
    lr: float,
    scheduler: str,
    warmup_ratio: float,
    epochs: float,
    max_steps: int,
    batch_size: int,
    gradient_accumulation_steps: int,
    cutoff_len: int,
    bf16: bool,
    logging_steps: int,
    eval_steps: int,
    save_steps: int,
    seed: int,
) -> dict[str, Any]:
    """LLaMA-Factory's arguments for one LoRA run, under its own names.

    `enable_thinking: false` makes its `qwen3` template open the same empty think block as the chat
    template does at scoring time, outside the loss.
    """
    return {
        "model_name_or_path": str(base),
        "trust_remote_code": False,
        "stage": "sft",
        "do_train": True,
        "do_eval": True,
        "finetuning_type": "lora",
        "lora_rank": rank,
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "lora_target": targets,
        "dataset_dir": str(data),
        "dataset": train_dataset,
        "eval_dataset": val_dataset,
        "template": template,
        "enable_thinking": False,
        "cutoff_len": cutoff_len,
        "overwrite_cache": True,
        "output_dir": str(output),
        "overwrite_output_dir": False,  # so that a second start resumes from the last checkpoint
        "logging_steps": logging_steps,
        "eval_strategy": "steps",
        "eval_steps": eval_steps,
        "save_strategy": "steps",
        "save_steps": save_steps,
        "save_total_limit": 2,
        "report_to": "none",
        "per_device_train_batch_size": batch_size,
        "per_device_eval_batch_size": batch_size,
        "gradient_accumulation_steps": gradient_accumulation_steps,
        "learning_rate": lr,
        "num_train_epochs": epochs,
        "max_steps": max_steps,
        "lr_scheduler_type": scheduler,
        "warmup_ratio": warmup_ratio,
        "bf16": bf16,
        "include_effective_tokens_per_second": True,
        "seed": seed,
        "data_seed": seed,
    }


def train(arguments: Mapping[str, Any], work: Path) -> Path:
    """Run LLaMA-Factory on `arguments`, from the last checkpoint of the same run if any.

    Args:
        arguments: see `recipe`; `output_dir` lies below `work`.
        work: kept when the run is interrupted; the caller drops it after use.

    Returns:
        The folder that holds the trained adapter and the trainer's own files.

    Raises:
        UserError: LLaMA-Factory is not installed as it should be, or ended with an error.
    """
    program = Path(sys.executable).with_name("llamafactory-cli")
    if not program.exists() or importlib.util.find_spec("torchaudio") is None:
        raise UserError(
            f"{program}: missing, or without the torchaudio module that it imports at start; "
            "create the environment with: make env"
        )
    output = Path(arguments["output_dir"])
    _keep_only_same_run(arguments, work)
    _drop_broken_checkpoints(output)
    config = work / "train.yaml"
    write_text(config, yaml.safe_dump(dict(arguments), sort_keys=False))
    log = work / "llamafactory.log"
    env = {
        # Its cache of tokenized samples belongs to the run, not to the user's home.
        "HF_DATASETS_CACHE": str(work / "datasets"),
        # PEFT writes a set into adapter_config.json, in an order that hashing decides.
        "PYTHONHASHSEED": str(arguments["seed"]),
    }
    finished = run_shown([program, "train", config], env, log)
    if finished.code != 0:
        raise UserError(_explain(finished, log))
    return output


def read_log(output: Path) -> tuple[Curve, Curve]:
    """The curves of training and of validation from a run's trainer_log.jsonl.

    Raises:
        UserError: a loss is no finite number, or the run was too short to log one of each.
    """
    train_points: dict[int, float] = {}
    val_points: dict[int, float] = {}
    for line in (output / "trainer_log.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        # A resumed run writes its steps again: the later line holds.
        if "loss" in entry:
            train_points[entry["current_steps"]] = entry["loss"]
        if "eval_loss" in entry:
            val_points[entry["current_steps"]] = entry["eval_loss"]
    # The last validation comes after the last step and goes to another file.
    last_step = read_json(output / "trainer_state.json")["global_step"]
    val_points[last_step] = read_json(output / "all_results.json")["eval_loss"]
    for name, points in (("training", train_points), ("validation", val_points)):
        broken = [step for step, loss in points.items() if not math.isfinite(loss)]
        if broken:
            raise UserError(
                f"{output}: the {name} loss is no number from step {min(broken)} on; lower train.lr"
            )
        if not points:
            raise UserError(
                f"{output}: no {name} loss was logged in {last_step} steps; lower "
                "train.logging_steps to that or less"
            )
    return sorted(train_points.items()), sorted(val_points.items())


def _keep_only_same_run(arguments: Mapping[str, Any], work: Path) -> None:
    """Empty `work` unless its checkpoints are of these arguments, this model and these samples."""
    data = Path(arguments["dataset_dir"])
    identity = {
        "arguments": dict(arguments),
        "base": sha256_folder(Path(arguments["model_name_or_path"])),
        "samples": [
            sha256_file(data / f"{arguments[name]}.jsonl") for name in ("dataset", "eval_dataset")
        ],
    }
    path = work / "run.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != identity:
        shutil.rmtree(work)
    write_json(path, identity)


def _drop_broken_checkpoints(output: Path) -> None:
    """Remove checkpoints that a kill left half-written; trainer_state.json is written last."""
    for checkpoint in output.glob("checkpoint-*"):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            shutil.rmtree(checkpoint)


def _explain(finished: Finished, log: Path) -> str:
    if finished.ran_out_of_memory:
        return f"{_OUT_OF_MEMORY} (log: {log})"
    return f"LLaMA-Factory ended with exit code {finished.code}: {finished.last_line} (log: {log})"
