"""Check every row and write it in one spelling; rewrite some test rows as an evader would.

Refuses near copies in two splits, before hours are spent on what could not be measured.

Reads   params: prepare, extract.near_copy_threshold, extract.seed; data/raw, metrics/extract.json
Writes  data/processed/{train,val,test,evasion}.parquet, data/processed/protocol.json,
        metrics/prepare.json
Run     dvc repro prepare      (alone: python -m stages.safety.prepare)
"""

import sys
from pathlib import Path

from newsrec.files import atomic_folder, read_json, write_json
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage
from newsrec.safety.leaks import refuse_leaks
from newsrec.safety.normalisation import VERSION
from newsrec.safety.params import Params
from newsrec.safety.preparation import prepare
from newsrec.safety.tables import SPLITS

TARGET = Path("data/processed")


def main() -> None:
    params = load_params(Params)
    settings, extract = params.prepare, params.extract
    protocol = {
        **read_json(Path("metrics/extract.json"))["protocol"],
        "normalisation": f"version {VERSION}, {settings.max_chars:,} characters at most",
    }
    raw = Path("data/raw")
    with atomic_folder(TARGET) as draft:
        figures = prepare(
            raw,
            draft,
            max_chars=settings.max_chars,
            num_evasion=settings.num_evasion,
            seed=settings.seed,
        )
        # With the seed of `extract` it would miss what that missed.
        refuse_leaks(draft, raw, extract.near_copy_threshold, extract.seed + 1)
        write_json(draft / "protocol.json", protocol)
    write_json(Path("metrics/prepare.json"), figures | {"protocol": protocol})
    for split in SPLITS:
        if num := figures[split]["num_empty"]:
            print(
                f"prepare: warning: {num:,} rows of {split} have no visible character and are "
                "left out",
                file=sys.stderr,
            )
    summary = ", ".join(f"{figures[split]['num_rows']:,} {split}" for split in SPLITS)
    evasion = f"{figures['evasion']['num_rewritten']:,} rewritten"
    print(f"prepare: {summary} rows, {evasion} to evade, in {TARGET}")


if __name__ == "__main__":
    run_stage(main)
