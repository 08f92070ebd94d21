"""Apply the rules for items, ratings and lists, and write the lists that every system ranks.

Reads   params: prepare; data/raw, metrics/fetch_reviews.json
Writes  in data/processed: items.parquet, purchases.parquet, purchases_later.parquet,
        {train,val,test}.parquet, candidates_{val,test}.json, protocol.json; metrics/prepare.json
Run     dvc repro prepare      (alone: python -m stages.ranker.prepare)
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from newsrec.files import read_json, write_json
from newsrec.params.load import load_params
from newsrec.ranker.params import Params
from newsrec.ranker.params import Prepare as Settings
from newsrec.ranker.preparation.items import ItemRules
from newsrec.ranker.preparation.prepare import ListRules, Period, prepare
from newsrec.ranker.reviews.sources import find_raw
from newsrec.ranker.tables import SPLITS
from newsrec.running.stage import run_stage

TARGET = Path("data/processed")
DRAFT = Path(".work/prepare")


def main() -> None:
    settings = load_params(Params).prepare
    ratings, metadata = find_raw(Path("data/raw"))
    # Under a fixed name, so that the next run removes what a killed one left.
    shutil.rmtree(DRAFT, ignore_errors=True)
    DRAFT.mkdir(parents=True)
    figures = prepare(
        ratings,
        metadata,
        DRAFT,
        item_rules=ItemRules(
            settings.max_title_words, settings.min_title_chars, settings.require_price
        ),
        period=Period(settings.start, settings.end, settings.k_core, settings.min_items),
        list_rules=ListRules(
            settings.window,
            settings.num_candidates,
            settings.split,
            dict(settings.max_lists.items()),
            settings.seed,
        ),
    )
    protocol = {
        **read_json(Path("metrics/fetch_reviews.json"))["protocol"],
        **_protocol(settings, figures),
    }
    write_json(DRAFT / "protocol.json", protocol)
    # Not the folder as a whole: another stage writes the samples of training there.
    TARGET.mkdir(parents=True, exist_ok=True)
    for path in sorted(DRAFT.iterdir()):
        path.replace(TARGET / path.name)
    shutil.rmtree(DRAFT)
    write_json(Path("metrics/prepare.json"), figures | {"protocol": protocol})
    if moves := figures["num_start_moves"]:
        print(
            f"prepare: warning: fewer than {settings.min_items:,} items from {settings.start} on; "
            f"the start moved back {moves} times, to {figures['start']}",
            file=sys.stderr,
        )
    lists = ", ".join(f"{figures['lists'][f'num_{split}']:,} {split}" for split in SPLITS)
    print(
        f"prepare: {figures['ratings']['num_kept']:,} ratings of {figures['num_users']:,} users "
        f"and {figures['items']['num_kept']:,} items; {lists} lists, in {TARGET}"
    )


def _protocol(settings: Settings, figures: dict[str, Any]) -> dict[str, str]:
    words, chars = settings.max_title_words, settings.min_title_chars
    price = "with a price" if settings.require_price else "with a price or not"
    split, digests = settings.split, figures["digests"]
    return {
        "items": f"titles of {chars} characters to {words} words, {price}",
        "ratings": f"{figures['start'] or 'first'} to {settings.end or 'last'} month, "
        f"{settings.k_core}-core",
        "split": f"{split}, at {figures['cuts'][0]} and {figures['cuts'][1]} ms",
        "candidates": f"{settings.num_candidates}, drawn, seed {settings.seed}",
        "history": f"the last {settings.window}",
        "lists": f"val {digests['val'][:12]}, test {digests['test'][:12]}",
    }


if __name__ == "__main__":
    run_stage(main)
