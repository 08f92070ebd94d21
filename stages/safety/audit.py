"""Find the training rows whose label looks wrong.

Reads   params: audit, score.dtype, train.cutoff_len; data/processed/train.parquet, models/merged
Writes  data/audit.parquet, metrics/audit.json
Run     dvc repro audit      (alone: python -m stages.safety.audit)
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.chat.texts import encode_texts
from newsrec.chat.tokens import load_tokenizer
from newsrec.engines.settings import TransformersSettings
from newsrec.engines.states import pooled_states
from newsrec.files import atomic_file, read_table, write_json
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage
from newsrec.safety.audit import METHOD, audit, counts, out_of_fold
from newsrec.safety.params import Params
from newsrec.safety.predictors import codes

TRAIN, MODEL = Path("data/processed/train.parquet"), Path("models/merged")
TARGET = Path("data/audit.parquet")


def main() -> None:
    params = load_params(Params)
    settings = params.engine_settings("transformers")
    assert isinstance(settings, TransformersSettings)
    rows = read_table(TRAIN, ["id", "label", "cluster", "normalised"])
    ids = encode_texts(load_tokenizer(MODEL), rows["normalised"].tolist(), params.train.cutoff_len)
    states = pooled_states(settings, MODEL, ids)
    label, cluster = codes(rows["label"]), rows["cluster"].to_numpy()
    plausible = out_of_fold(states, label, cluster, params.audit.seed)
    below = params.audit.suspect_below
    found = audit(rows, plausible, below)
    with atomic_file(TARGET) as draft:
        pq.write_table(pa.Table.from_pandas(found, preserve_index=False), draft)
    figures = counts(rows, found)
    write_json(Path("metrics/audit.json"), {"method": METHOD, "suspect_below": below, **figures})
    print(f"audit: {figures['num_suspect']:,} of {len(rows):,} labels look wrong, in {TARGET}")


if __name__ == "__main__":
    run_stage(main)
