"""Advice for a user whose training failed or would not fit into memory."""

import re
from dataclasses import dataclass
from pathlib import Path

from newsrec.running.disks import FREE_SOME
from newsrec.running.processes import Finished

# The worker's last message if a loss is not a number: split and step; see `StopAtBrokenLoss`.
BROKEN_LOSS = re.compile(r"newsrec: the loss of (\w+) is not a number at step (\d+)")

# Alternatives that need less memory than a method, best first.
LIGHTER = {
    "lora": "train=qlora, or a smaller model",
    "lora-classifier": "a smaller model",  # trained with PEFT, for which 4 bits are not supported
    "qlora": "a smaller model",
    "full": "train=freeze, train=lora, train=qlora, or a smaller model",
    "freeze": "train=lora, or a smaller model",
    # LoRA recomputes activations in the backward pass; PEFT refuses this for a prefix.
    "p-tuning-v2": "train=lora, or a smaller model",
    "adapter": "train=qlora, or a smaller model",
}
_OWN_SETTINGS = {
    "lora": ", train.rank",
    "lora-classifier": ", train.rank",
    "qlora": ", train.rank",
    "full": "",
    "freeze": ", train.num_layers",
    "p-tuning-v2": ", train.projection_size, train.num_virtual_tokens",
    "adapter": "; raise train.reduction_factor",
}


@dataclass(frozen=True)
class Advice:
    """What to change if a training fails."""

    memory: str  # if it runs out of memory
    loss: str  # if a loss is not a number


def memory_advice(method: str) -> str:
    """What to change, in order, if a fine-tuning method runs out of memory."""
    return (
        "lower, in this order: train.batch_size (raise train.gradient_accumulation_steps by the "
        f"same factor), train.cutoff_len{_OWN_SETTINGS[method]}; or choose {LIGHTER[method]}"
    )


def explain_failure(
    finished: Finished, method: str, log: Path, advice: Advice | None = None
) -> str:
    """Why a training ended and what to do about it, in one line.

    Args:
        finished: how the process ended.
        method: the method in the section `train`.
        log: the log of the training.
        advice: advice for a training whose settings are in another section.
    """
    if advice is None:
        loss = "lower train.lr, or raise train.warmup_ratio"
        advice = Advice(memory_advice(method), loss)
    if broken := BROKEN_LOSS.search(finished.tail):
        place = f"the loss of {broken[1]} is not a number at step {broken[2]}"
        return f"{place}; {advice.loss} (log: {log})"
    if finished.ran_out_of_memory:
        return f"training ran out of memory; {advice.memory} (log: {log})"
    if finished.ran_out_of_disk:
        return f"training found no space left on the disk; {FREE_SOME} (log: {log})"
    return f"training ended with exit code {finished.code}: {finished.last_line} (log: {log})"
