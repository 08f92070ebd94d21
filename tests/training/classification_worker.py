"""Train a sequence classifier with a LoRA, from a YAML file: a task that the project does not ship.

python -m tests.training.classification_worker FILE
"""

import signal
import sys
from pathlib import Path

import torch
import yaml
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments, set_seed

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.models.loading import load_model
from newsrec.running.processes import die_with_parent
from newsrec.training.dataset import read_samples
from newsrec.training.trainer import run_trainer

CLASSES = ("bad", "mixed", "good")


def main() -> None:
    die_with_parent(signal.SIGKILL)
    job = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    base = Path(job["base"])
    arguments = TrainingArguments(**job["trainer"])
    tokenizer = load_tokenizer(base)

    def encoded(path: str) -> Dataset:
        return Dataset.from_list(
            [
                {
                    "input_ids": encode_chat(tokenizer, user_turn(message)),
                    "labels": CLASSES.index(answer),
                }
                for message, answer in read_samples(Path(path))
            ]
        )

    set_seed(arguments.seed)  # the new head is drawn
    network = load_model(
        base,
        torch.float32,
        "sequence-classification",
        num_labels=len(CLASSES),
        pad_token_id=tokenizer.pad_token_id,
    )
    network = get_peft_model(
        network, LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj", "v_proj"])
    )
    writes = run_trainer(
        Trainer,
        arguments,
        job["early_stopping"],
        model=network,
        train_dataset=encoded(job["train_samples"]),
        eval_dataset=encoded(job["val_samples"]),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    if writes:
        network.save_pretrained(str(Path(arguments.output_dir) / "adapter"))


if __name__ == "__main__":
    main()
