"""Train a ranker by reinforcement with the Hugging Face Trainer, from a YAML file.

python -m newsrec.ranker.rl.worker FILE
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from datasets import Dataset
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, TrainingArguments, set_seed

from newsrec.chat.texts import padding_token
from newsrec.chat.tokens import first_tokens, load_tokenizer
from newsrec.errors import UserError
from newsrec.files import write_json
from newsrec.models.loading import load_model
from newsrec.ranker.list_prompts import ListPrompts, nothing_shown
from newsrec.ranker.lists import read_items
from newsrec.ranker.params import Prompt
from newsrec.ranker.prompts import NO, YES
from newsrec.ranker.rl.audit import audit_scores
from newsrec.ranker.rl.policy import Policy
from newsrec.ranker.rl.rows import Packing, split_lists
from newsrec.ranker.rl.trainer import RankerTrainer
from newsrec.ranker.rl.training import AUDIT
from newsrec.running.garbage import collect_as_usual
from newsrec.running.processes import die_with_parent
from newsrec.training.trainer import run_trainer

# Largest difference between a prompt's score in a row and alone, by rounding.
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 1.0}


def main() -> None:
    die_with_parent(signal.SIGKILL)  # which is torchrun where there are several GPUs
    collect_as_usual()
    job = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        train(job)
    except UserError as error:
        sys.exit(str(error))


def train(job: dict[str, Any], kind: type[RankerTrainer] = RankerTrainer) -> Policy:
    """Run what `training.train_by_reinforcement` has written down.

    Args:
        job: the content of the file.
        kind: the Trainer.

    Returns:
        The policy of the best checkpoint.
    """
    base = Path(job["base"])
    arguments = TrainingArguments(
        **job["trainer"],
        label_names=["labels"],
        remove_unused_columns=False,  # the rows are made of columns that the model does not take
        ddp_find_unused_parameters=False,
    )
    tokenizer = load_tokenizer(base)
    train_lists, val_lists = (_encoded(job[f"{split}_lists"], job) for split in ("train", "val"))
    chosen = np.linspace(0, len(val_lists) - 1, min(job["num_val_lists"], len(val_lists)))
    val_lists = val_lists.select(chosen.astype(int))
    _check_enough(train_lists, arguments)
    longest = max(max(lists["num_prompts"]) for lists in (train_lists, val_lists))
    packing = Packing(longest, padding_token(tokenizer))

    set_seed(arguments.seed)  # the adapter is drawn
    is_whole = job["trains"] == "full"
    dtype = torch.bfloat16 if arguments.bf16 and not is_whole else torch.float32
    # The kinds of attention that need no mask would pass over it.
    network = load_model(base, dtype, attn_implementation="sdpa")
    if job["options"]["gradient_checkpointing"]:
        network.gradient_checkpointing_enable({"use_reentrant": False})
    if not is_whole:
        network = _with_adapter(network, job["options"])
    yes, no = first_tokens(tokenizer, nothing_shown(), (YES, NO))
    policy = Policy(network, (yes, no), has_critic=job["method"] == "ppo").to(arguments.device)
    policy.eval()
    first = val_lists[0]
    alone = [[*first["prefix"], *rest] for rest in first["rests"]]
    policy.check_rows(_on(packing([first]), arguments.device), alone, _TOLERANCE[dtype])

    size = arguments.per_device_eval_batch_size
    start, labels = score_lists(policy, val_lists, packing, size, arguments.device)
    writes = run_trainer(
        kind,
        arguments,
        job["early_stopping"],
        method=job["method"],
        options=job["method_options"],
        k=job["k"],
        model=policy,
        train_dataset=train_lists,
        eval_dataset=val_lists,
        data_collator=packing,
    )
    if writes:
        output = Path(arguments.output_dir)
        policy.eval()
        end, _ = score_lists(policy, val_lists, packing, size, arguments.device)
        network.save_pretrained(output / ("model" if is_whole else "adapter"))
        write_json(output / AUDIT, audit_scores(start, end, labels, job["k"], arguments.seed))
    return policy


@torch.no_grad()
def score_lists(
    policy: Policy, lists: Dataset, packing: Packing, size: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The scores of all lists, shape (lists, prompts), and the target's place in each."""
    scores, labels = [], []
    for batch in DataLoader(lists, size, collate_fn=packing):
        labels.append(batch.pop("labels"))
        batch.pop("number")
        scores.append(policy(**_on(batch, device))["scores"].cpu())
    return torch.cat(scores), torch.cat(labels)


def _with_adapter(network: PreTrainedModel, options: dict[str, Any]) -> PeftModel:
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=options["rank"],
        lora_alpha=options["alpha"],
        lora_dropout=options["dropout"],
        target_modules=[name.strip() for name in options["targets"].split(",")],
    )
    return get_peft_model(network, config)


def _on(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {name: values.to(device) for name, values in batch.items()}


def _check_enough(lists: Dataset, arguments: TrainingArguments) -> None:
    step = arguments.gradient_accumulation_steps * arguments.world_size
    step *= arguments.per_device_train_batch_size
    if len(lists) < step:
        raise UserError(
            f"{len(lists)} lists to train on, fewer than the {step} of a step; lower "
            "rl.recipe.batch_size or rl.recipe.gradient_accumulation_steps, or use more data"
        )


def _encoded(lists: str, job: dict[str, Any]) -> Dataset:
    """The lists as token ids in an Arrow file, which is read from disk while training."""
    # Plain values, not objects: the arguments are hashed to name the file.
    settings = {name: job[name] for name in ("base", "items", "prompt", "max_prompt_tokens")}
    return Dataset.from_generator(_encode, gen_kwargs={"lists": lists, **settings})


def _encode(
    lists: str, base: str, items: str, prompt: dict[str, Any], max_prompt_tokens: int
) -> Iterator[dict[str, Any]]:
    prompts = ListPrompts(
        load_tokenizer(Path(base)),
        [Path(lists)],
        read_items(Path(items)),
        Prompt(**prompt),
        max_prompt_tokens,
    )
    number = 0
    for batch in prompts.batches():
        sizes = [len(row["candidates"]) for row in batch.rows]
        for row, ids in zip(batch.rows, split_lists(batch.ids, sizes), strict=True):
            label = row["candidates"].index(row["target"])
            yield {**ids, "labels": label, "number": number, "num_prompts": len(ids["rests"])}
            number += 1


if __name__ == "__main__":
    main()
