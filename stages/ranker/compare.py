"""Let other systems rank the lists of the reference: a model behind a server, a reasoning ranker.

Reads   params: compare, prompt, score; data/processed/{candidates_test.json,items.parquet},
        metrics/prepare.json; the folder compare.reasoner; of the environment NEWSREC_API_URL and
        NEWSREC_API_KEY, where compare.teacher is set
Writes  in data/predictions/compare: teacher.parquet and reasoner.parquet, of those that the
        parameters turn on; metrics/compare.json
Run     dvc repro compare      (alone: python -m stages.ranker.compare)

An interrupted run asks only for what was not answered, from .work/compare; what a server answered
stays there, so that nothing is paid for twice.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from newsrec.files import atomic_folder, read_json, write_json
from newsrec.params.load import load_params
from newsrec.ranker.comparison import list_teacher, reasoner
from newsrec.ranker.comparison.predictions import write_predictions
from newsrec.ranker.lists import Item, Row, read_items
from newsrec.ranker.params import Params
from newsrec.ranker.reference import read_reference
from newsrec.ranker.teaching.asking import url_server
from newsrec.running.stage import run_stage

REFERENCE = Path("data/processed/candidates_test.json")
TARGET = Path("data/predictions/compare")
WORK = Path(".work/compare")


def main() -> None:
    params = load_params(Params)
    rows, items = read_reference(REFERENCE), read_items(Path("data/processed/items.parquet"))
    digest = str(read_json(REFERENCE)["digest"])
    WORK.mkdir(parents=True, exist_ok=True)
    systems = {"teacher": _teacher, "reasoner": _reasoner}
    metrics: dict[str, Any] = {"protocol": read_json(Path("metrics/prepare.json"))["protocol"]}
    ranked = [name for name in systems if getattr(params.compare, name) is not None]
    with atomic_folder(TARGET) as draft:
        for name in ranked:
            scores, metrics[name] = systems[name](params, rows, items)
            write_predictions(rows, scores, digest, draft / f"{name}.parquet")
    write_json(Path("metrics/compare.json"), metrics)
    shutil.rmtree(WORK / "reasoner", ignore_errors=True)
    print(f"compare: {' and '.join(ranked) or 'no system'} on {len(rows):,} lists")


def _teacher(
    params: Params, rows: Sequence[Row], items: Mapping[str, Item]
) -> tuple[list[list[float]], dict[str, Any]]:
    compare, score = params.compare, params.score
    server = url_server(
        compare.teacher,
        "compare.teacher",
        max_tokens=compare.max_tokens,
        concurrency=score.api_concurrency,
        max_tries=score.api_max_tries,
        timeout=score.api_timeout,
    )
    return list_teacher.rank_lists(
        rows,
        items,
        params.prompt,
        server,
        WORK / "journal.jsonl",
        prices=(compare.price_prompt, compare.price_completion),
        seed=compare.seed,
    )


def _reasoner(
    params: Params, rows: Sequence[Row], items: Mapping[str, Item]
) -> tuple[list[list[float]], dict[str, Any]]:
    compare = params.compare
    (WORK / "reasoner").mkdir(exist_ok=True)
    return reasoner.rank_lists(
        rows,
        items,
        params.prompt,
        Path(str(compare.reasoner)),
        params.engine_settings(),
        WORK / "reasoner",
        embedding_token=compare.embedding_token,
        max_user_tokens=compare.max_user_tokens,
        max_item_tokens=compare.max_item_tokens,
        batch_size=compare.batch_size,
        dtype=params.score.dtype,
    )


if __name__ == "__main__":
    run_stage(main)
