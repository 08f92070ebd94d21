"""Train a sequence classifier with the Hugging Face Trainer, from a YAML file.

python -m newsrec.training.classification_worker FILE
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import yaml
from datasets import Dataset
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils import ModulesToSaveWrapper
from sklearn.metrics import f1_score
from torch.nn.functional import cross_entropy
from transformers import (
    DataCollatorWithPadding,
    EvalPrediction,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
    set_seed,
)

from newsrec.chat.texts import encode_texts, padding_token
from newsrec.chat.tokens import load_tokenizer
from newsrec.models.loading import load_model
from newsrec.running.processes import die_with_parent
from newsrec.training.classification import METRIC
from newsrec.training.labelled import LabelledTexts
from newsrec.training.trainer import run_trainer

_ROWS_AT_ONCE = 1000  # tokenized together
_ROW_LOSS = "row_loss"
# Of the frozen base, by whether training computes in bfloat16 and in float16.
_DTYPES = {
    (True, False): torch.bfloat16,
    (False, True): torch.float16,
    (False, False): torch.float32,
}


def main() -> None:
    die_with_parent(signal.SIGKILL)  # the parent is torchrun if there are several processes
    job = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    base, classes = Path(job["base"]), job["classes"]
    arguments = TrainingArguments(
        **job["trainer"],
        gradient_checkpointing=job["options"]["gradient_checkpointing"],
        gradient_checkpointing_kwargs={"use_reentrant": False},
        label_names=["labels"],
        ddp_find_unused_parameters=False,
    )
    tokenizer = load_tokenizer(base)
    tokenizer.padding_side = "right"
    tokenizer.pad_token_id = padding_token(tokenizer)
    set_seed(arguments.seed)  # for the initial weights of the head and the adapter
    network = load_model(
        base,
        _DTYPES[bool(arguments.bf16), bool(arguments.fp16)],
        "sequence-classification",
        num_labels=len(classes),
        pad_token_id=tokenizer.pad_token_id,
    )
    network = add_lora(network, job["options"])
    weights = torch.tensor(job["class_weights"])
    writes = run_trainer(
        ClassifierTrainer,
        arguments,
        job["early_stopping"],
        model=network,
        train_dataset=_encoded(job["train_samples"], job),
        eval_dataset=_encoded(job["val_samples"], job),
        data_collator=DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8),
        compute_loss_func=_mean_over_step(weights),
        compute_metrics=_measure(weights),
    )
    if writes:
        network.save_pretrained(str(Path(arguments.output_dir) / "adapter"))


class ClassifierTrainer(Trainer):  # type: ignore[misc]
    """A Trainer that validates the shortest rows first and counts each of them once."""

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sequence[int]:
        # With `group_by_length`, the Trainer's own sampler draws an order, which may differ between
        # processes: some rows would be missing, and others counted twice.
        lengths = [len(ids) for ids in eval_dataset["input_ids"]]
        return sorted(range(len(lengths)), key=lengths.__getitem__)

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """As the Trainer's, but with the mean loss over rows.

        The Trainer's own loss is a mean over batches, and with several processes the last batches
        are filled up with rows that were already counted.
        """
        output = super().evaluation_loop(*arguments, **options)
        output.metrics["eval_loss"] = output.metrics.pop(f"eval_{_ROW_LOSS}")
        return output


def add_lora(network: PreTrainedModel, options: dict[str, Any]) -> PeftModel:
    """`network` with a trainable adapter and a trainable float32 head; the rest is frozen."""
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,  # trains the head and saves it with the adapter
        r=options["rank"],
        lora_alpha=options["alpha"],
        lora_dropout=options["dropout"],
        target_modules=[name.strip() for name in options["targets"].split(",")],
        use_dora=options["dora"],
        use_rslora=options["rslora"],
    )
    adapted = get_peft_model(network, config)
    for module in adapted.modules():
        if isinstance(module, ModulesToSaveWrapper):
            # PEFT does so only for the adapter; most steps are too small to change a bfloat16.
            module.modules_to_save.float()
    return adapted


def row_losses(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of each row in nats, multiplied by the weight of its class.

    Args:
        logits: shape (rows, classes).
        labels: class ids, shape (rows,).
        weights: class weights, shape (classes,).
    """
    return cross_entropy(logits.float(), labels, weight=weights.to(logits.device), reduction="none")


def _mean_over_step(weights: torch.Tensor) -> Callable[..., torch.Tensor]:
    def loss(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        losses = row_losses(outputs.logits, labels, weights)
        # The mean over the rows of all batches and processes of a step.
        return losses.sum() / (len(losses) if num_items_in_batch is None else num_items_in_batch)

    return loss


def _measure(weights: torch.Tensor) -> Callable[[EvalPrediction], dict[str, float]]:
    def measure(found: EvalPrediction) -> dict[str, float]:
        logits, labels = torch.from_numpy(found.predictions), torch.from_numpy(found.label_ids)
        predicted, every = logits.argmax(dim=1), range(len(weights))
        return {
            METRIC: float(
                f1_score(labels, predicted, labels=every, average="macro", zero_division=0)
            ),
            _ROW_LOSS: float(row_losses(logits, labels, weights).double().mean()),
        }

    return measure


def _encoded(samples: str, job: dict[str, Any]) -> Dataset:
    """The samples as token ids in an Arrow file, which is read from disk during training."""
    # Plain values, not objects: the file name is a hash of the arguments.
    settings = {name: job[name] for name in ("base", "text", "label", "classes", "cutoff_len")}
    return Dataset.from_generator(_encode, gen_kwargs={"samples": samples, **settings})


def _encode(
    samples: str, base: str, text: str, label: str, classes: list[str], cutoff_len: int
) -> Iterator[dict[str, Any]]:
    tokenizer = load_tokenizer(Path(base))
    file = Path(samples)
    rows = LabelledTexts(file, file, text, label, tuple(classes)).read(file)
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        ids = encode_texts(tokenizer, [written for written, _ in batch], cutoff_len)
        for row, (_, name) in zip(ids, batch, strict=True):
            yield {"input_ids": row, "labels": classes.index(name)}


if __name__ == "__main__":
    main()
