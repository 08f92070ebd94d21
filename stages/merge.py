"""Merge the adapter into the base model and check that nothing but the format changed.

What was trained whole has nothing to merge, and what cannot be merged stays as it is: both are
exported as they are, so that `score` finds the tuned model in one place.

What its card says of the task comes from a module, which has a function `task_card(protocol)`.

Reads   params: merge; models/base, models/adapter, metrics/fetch_model.json, and of data/processed
        dataset_info.json and NAME_val.jsonl; tasks.yaml, where the card reads it
Writes  models/merged, metrics/merge.json
Run     dvc repro merge      (alone: python -m stages.merge mind newsrec.news.card)
"""

import sys
from importlib import import_module
from itertools import islice
from pathlib import Path

import yaml

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chat, load_tokenizer
from newsrec.errors import UserError
from newsrec.files import atomic_folder, read_json, write_json, write_text
from newsrec.models.folders import kind_of
from newsrec.models.merging import (
    check_base,
    check_fidelity,
    export_adapter,
    export_model,
    merge_adapter,
)
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.report.card import model_card
from newsrec.running.stage import run_stage
from newsrec.training.dataset import SampleSet, read_samples

BASE = Path("models/base")
TRAINED = Path("models/adapter")
TARGET = Path("models/merged")
DATA = Path("data/processed")
# Of what cannot be merged: the library that loads it.
LIBRARIES = {"prefix": "peft", "bottleneck": "adapters"}


def main() -> None:
    if len(sys.argv) != 3:
        raise UserError("expected: python -m stages.merge NAME CARD_MODULE, like mind")
    merge = load_params(SharedParams).merge
    kind, protocol = kind_of(TRAINED), read_json(TRAINED / "protocol.json")
    check_base(BASE, protocol, TRAINED)
    metrics: dict[str, object] = {"kind": kind}
    with atomic_folder(TARGET) as draft:
        if kind in ("lora", "model"):
            write = merge_adapter if kind == "lora" else export_model
            expected = "base + adapter" if kind == "lora" else "the trained model"
            prompts = _prompts(SampleSet(DATA, sys.argv[1]).file("val"), merge.num_prompts)
            found = write(BASE, TRAINED, draft, prompts, merge.max_shard_size)
            check_fidelity(found, merge.tolerance, TARGET, BASE, expected)
            metrics |= {
                "max_logit_difference": found.difference,
                "rounding": found.rounding,
                "tolerance": merge.tolerance,
            }
            summary = (
                f"logits within {found.difference:.2g} of {expected}, "
                f"{found.rounding:.2g} by rounding"
            )
        else:
            export_adapter(BASE, TRAINED, draft)
            summary = f"exported as it is, beside {BASE}"
        write_text(draft / "README.md", _card(protocol, LIBRARIES.get(kind, "transformers")))
    metrics["protocol"] = protocol
    write_json(Path("metrics/merge.json"), metrics)
    print(f"merge: {TARGET}, {summary}")


def _card(protocol: dict[str, str], library: str) -> str:
    task = import_module(sys.argv[2]).task_card(protocol)
    base = read_json(Path("metrics/fetch_model.json"))
    settings = yaml.safe_load((TRAINED / "train.yaml").read_text(encoding="utf-8"))
    return model_card(task, base, protocol, settings, library)


def _prompts(samples: Path, num: int) -> list[list[int]]:
    tokenizer = load_tokenizer(BASE)
    messages = (message for message, _ in islice(read_samples(samples), num))
    return [encode_chat(tokenizer, user_turn(message)) for message in messages]


if __name__ == "__main__":
    run_stage(main)
