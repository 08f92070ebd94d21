"""Merge the adapter into the base model and check that nothing but the format changed.

What was trained whole has nothing to merge, and what cannot be merged stays as it is: both are
handed on, so that `score` finds the tuned model in one place.

Reads   params: merge; models/base, models/adapter, data/processed
Writes  models/merged, metrics/merge.json
Run     dvc repro merge      (alone: python -m stages.merge)
"""

from itertools import islice
from pathlib import Path

from newsrec.errors import UserError, run_stage
from newsrec.files import atomic_folder, read_json, write_json
from newsrec.models.folders import kind_of
from newsrec.models.merging import hand_on_adapter, hand_on_model, merge_adapter
from newsrec.params import load_params
from newsrec.training.alpaca import read_samples

BASE = Path("models/base")
TRAINED = Path("models/adapter")
TARGET = Path("models/merged")
VAL = Path("data/processed/mind_val.jsonl")


def main() -> None:
    merge = load_params().merge
    kind = kind_of(TRAINED)
    account: dict[str, object] = {"kind": kind}
    with atomic_folder(TARGET) as draft:
        if kind in ("lora", "model"):
            write = merge_adapter if kind == "lora" else hand_on_model
            wanted = "base + adapter" if kind == "lora" else "the trained model"
            prompts = [message for message, _ in islice(read_samples(VAL), merge.num_prompts)]
            difference = write(BASE, TRAINED, draft, prompts, merge.max_shard_size)
            if not difference <= merge.tolerance:  # a NaN fails too
                raise UserError(
                    f"{TARGET}: a next-token logit differs by {difference:.3g} from {wanted}, "
                    f"expected at most merge.tolerance={merge.tolerance}; train again, or "
                    "merge in a higher precision"
                )
            account |= {"max_logit_difference": difference, "tolerance": merge.tolerance}
            told = f"logits within {difference:.2g} of {wanted}"
        else:
            hand_on_adapter(BASE, TRAINED, draft)
            told = f"handed on as it is, beside {BASE}"
    account["protocol"] = read_json(TRAINED / "protocol.json")
    write_json(Path("metrics/merge.json"), account)
    print(f"merge: {TARGET}, {told}")


if __name__ == "__main__":
    run_stage(main)
