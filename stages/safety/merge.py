"""Merge adapter and head into the base model and check that nothing but the format changed.

Reads   params: merge, train.cutoff_len; models/base, models/adapter, metrics/fetch_model.json,
        data/processed/val.parquet
Writes  models/merged, metrics/merge.json
Run     dvc repro merge      (alone: python -m stages.safety.merge)
"""

from pathlib import Path

import pyarrow.parquet as pq
import yaml

from newsrec.chat.texts import encode_texts, padding_token
from newsrec.chat.tokens import load_tokenizer
from newsrec.files import atomic_folder, read_json, write_json, write_text
from newsrec.models.merging import check_base, check_fidelity, merge_adapter
from newsrec.params.load import load_params
from newsrec.report.card import model_card
from newsrec.running.stage import run_stage
from newsrec.safety.card import task_card
from newsrec.safety.labels import CLASSES
from newsrec.safety.params import Params
from newsrec.safety.tables import TEXT

BASE = Path("models/base")
ADAPTER = Path("models/adapter")
TARGET = Path("models/merged")
VAL = Path("data/processed/val.parquet")


def main() -> None:
    params = load_params(Params)
    merge, protocol = params.merge, read_json(ADAPTER / "protocol.json")
    check_base(BASE, protocol, ADAPTER)
    tokenizer = load_tokenizer(BASE)
    texts = pq.read_table(VAL, columns=[TEXT])[TEXT][: merge.num_prompts].to_pylist()
    with atomic_folder(TARGET) as draft:
        found = merge_adapter(
            BASE,
            ADAPTER,
            draft,
            encode_texts(tokenizer, texts, params.train.cutoff_len),
            merge.max_shard_size,
            "sequence-classification",
            num_labels=len(CLASSES),
            id2label=dict(enumerate(CLASSES)),
            label2id={name: id_ for id_, name in enumerate(CLASSES)},
            pad_token_id=padding_token(tokenizer),
        )
        check_fidelity(found, merge.tolerance, TARGET, BASE, "base + adapter + head")
        base = read_json(Path("metrics/fetch_model.json"))
        settings = yaml.safe_load((ADAPTER / "train.yaml").read_text(encoding="utf-8"))
        write_text(draft / "README.md", model_card(task_card(protocol), base, protocol, settings))
    write_json(
        Path("metrics/merge.json"),
        {
            "max_logit_difference": found.difference,
            "rounding": found.rounding,
            "tolerance": merge.tolerance,
            "protocol": protocol,
        },
    )
    print(
        f"merge: {TARGET}, logits within {found.difference:.2g} of base + adapter + head, "
        f"{found.rounding:.2g} by rounding"
    )


if __name__ == "__main__":
    run_stage(main)
