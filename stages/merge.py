"""Merge the adapter into the base model and check that nothing but the format changed.

Reads   params: merge; models/base, models/adapter, data/processed,
        metrics/train.json
Writes  models/merged, metrics/merge.json
Run     dvc repro merge      (alone: python -m stages.merge)
"""

import json
from itertools import islice
from pathlib import Path

from newsrec.errors import UserError, run_stage
from newsrec.files import atomic_folder, read_json, write_json
from newsrec.models.merging import merge_adapter
from newsrec.params import load_params

TARGET = Path("models/merged")


def main() -> None:
    merge = load_params().merge
    prompts = _prompts(merge.num_prompts)
    with atomic_folder(TARGET) as draft:
        difference = merge_adapter(
            Path("models/base"), Path("models/adapter"), draft, prompts, merge.max_shard_size
        )
        if not difference <= merge.tolerance:  # a NaN fails too
            raise UserError(
                f"{TARGET}: a next-token logit differs by {difference:.3g} from base + adapter, "
                f"expected at most merge.tolerance={merge.tolerance}; train again, or merge in a "
                "higher precision"
            )
    write_json(
        Path("metrics/merge.json"),
        {
            "max_logit_difference": difference,
            "tolerance": merge.tolerance,
            "protocol": read_json(Path("metrics/train.json"))["protocol"],
        },
    )
    print(f"merge: {TARGET}, logits within {difference:.2g} of base + adapter")


def _prompts(num: int) -> list[str]:
    with Path("data/processed/mind_val.jsonl").open(encoding="utf-8") as stream:
        samples = [json.loads(line) for line in islice(stream, num)]
    return [f"{sample['instruction']}\n{sample['input']}" for sample in samples]


if __name__ == "__main__":
    run_stage(main)
