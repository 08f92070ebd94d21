"""Train a prefix or bottleneck adapters with the Hugging Face Trainer, from a YAML file.

python -m newsrec.training.peft_worker FILE
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from datasets import Dataset
from peft import PeftModel, PrefixTuningConfig, TaskType, get_peft_model
from transformers import (
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    TrainingArguments,
    set_seed,
)

from newsrec.chat.tokens import load_tokenizer
from newsrec.models.bottleneck import add_bottleneck, save_bottleneck
from newsrec.models.loading import load_model
from newsrec.running.garbage import collect_as_usual
from newsrec.running.processes import die_with_parent
from newsrec.training.dataset import read_samples
from newsrec.training.samples import encode_sample, load_template
from newsrec.training.trainer import TrainedWeightsTrainer, run_trainer


def main() -> None:
    die_with_parent(signal.SIGKILL)  # the parent is torchrun if there are several processes
    collect_as_usual()
    job = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    base = Path(job["base"])
    arguments = TrainingArguments(
        **job["trainer"],
        # PEFT refuses it for a prefix, whose keys and values come from outside the layers.
        gradient_checkpointing=job["method"] == "adapter",
        gradient_checkpointing_kwargs={"use_reentrant": False},
    )
    tokenizer = load_tokenizer(base)
    tokenizer.padding_side = "right"
    load_template(tokenizer, job["template"])  # sets the padding token
    set_seed(arguments.seed)
    network = load_model(base, torch.bfloat16 if arguments.bf16 else torch.float32)
    network = _add_weights(network, job["method"], job["options"])
    writes = run_trainer(
        TrainedWeightsTrainer,
        arguments,
        job["early_stopping"],
        model=network,
        train_dataset=_encoded(job["train_samples"], job),
        eval_dataset=_validated(job["val_samples"], job),
        data_collator=DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=8),
    )
    if not writes:
        return
    output = Path(arguments.output_dir)
    if isinstance(network, PeftModel):
        network.save_pretrained(str(output / "adapter"))
    else:
        save_bottleneck(network, output / "adapter")


def _add_weights(
    network: PreTrainedModel, method: str, options: dict[str, int]
) -> PreTrainedModel | PeftModel:
    """`network` with additional trainable weights; its own weights are frozen."""
    if method == "adapter":
        add_bottleneck(network, options["reduction_factor"])
        return network
    config = PrefixTuningConfig(
        task_type=TaskType.CAUSAL_LM,
        num_virtual_tokens=options["num_virtual_tokens"],
        prefix_projection=True,
        encoder_hidden_size=options["projection_size"],
    )
    return get_peft_model(network, config)


def _validated(samples: str | dict[str, str], job: dict[str, Any]) -> Dataset | dict[str, Dataset]:
    """The validation set, or the whole set and its parts by name if there are parts."""
    if isinstance(samples, str):
        return _encoded(samples, job)
    return {name: _encoded(file, job) for name, file in samples.items()}


def _encoded(samples: str, job: dict[str, Any]) -> Dataset:
    """The samples as token ids in an Arrow file, which is read from disk during training."""
    # Plain values, not objects: the file name is a hash of the arguments.
    settings = {name: job[name] for name in ("base", "template", "cutoff_len")}
    return Dataset.from_generator(_encode, gen_kwargs={"samples": samples, **settings})


def _encode(
    samples: str, base: str, template: str, cutoff_len: int
) -> Iterator[dict[str, list[int]]]:
    tokenizer = load_tokenizer(Path(base))
    factory = load_template(tokenizer, template)
    for number, (message, answer) in enumerate(read_samples(Path(samples)), start=1):
        sample = encode_sample(factory, tokenizer, message, answer)
        if (length := len(sample["input_ids"])) > cutoff_len:
            sys.exit(f"{samples}, line {number}: {length} tokens, expected at most {cutoff_len}")
        yield sample


if __name__ == "__main__":
    main()
