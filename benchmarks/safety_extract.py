"""How long 50,000 documents take from a real server to Parquet and xlsx, in how much memory.

Inserts made-up documents, 8 in 100 of them near copies and some with what spreadsheets break, into
the embedded server, in two orders. Then, alternately and each in a process of its own: the stage's
work, and the recipe in use (`$sample` for each label and split, pandas, `to_excel`), which neither
writes Parquet nor looks for near copies. Checks that every string is the same in the documents, the
Parquet files and the xlsx files, and that both orders gave the same files; of the recipe it counts
the validation and test rows that are in train too.

Run     python -m benchmarks.safety_extract [--documents 50000] [--rounds 1]
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

from benchmarks.document import save
from benchmarks.rows import Row
from benchmarks.side_by_side import Measured, run_alternately
from newsrec.errors import UserError
from newsrec.files import sha256_folder
from newsrec.running.stage import run_program
from newsrec.safety.extraction import extract, write_splits
from newsrec.safety.labels import CLASSES
from newsrec.safety.sources.embedded import serve
from newsrec.safety.sources.mongodb import (
    PASSWORD_VARIABLE,
    Connection,
    Fields,
    connect,
    find_password,
    read_documents,
)
from newsrec.safety.tables import SPLITS

SECONDS, MEGABYTES = 30, 600  # the goals, at most
RECIPE = "$sample, pandas, to_excel"
FIELDS = Fields("text_cn", "n_labels", None)
SHARES = {"train": 0.54, "val": 0.18, "test": 0.18}
BROKEN_BY_SPREADSHEETS = ("=cmd|'/c calc'!A0", "NA", "007", "_x000D_", "a\r\nb", " 空格 ", "\x01")


def made(num: int, seed: int) -> Iterator[dict[str, object]]:
    """Documents of 20 to 200 characters, six labels in turn."""
    rng = random.Random(seed)
    texts: list[str] = []
    for number in range(num):
        if number and rng.random() < 0.08:
            text = list(rng.choice(texts))
            text[rng.randrange(len(text))] = _character(rng)
        else:
            text = [_character(rng) for _ in range(rng.randint(20, 200))]
        if number % 500 < len(BROKEN_BY_SPREADSHEETS):
            text = [BROKEN_BY_SPREADSHEETS[number % 500], *text]
        texts.append("".join(text))
        yield {"_id": number, FIELDS.text: texts[-1], FIELDS.label: CLASSES[number % 6]}


def _character(rng: random.Random) -> str:
    return chr(0x4E00 + rng.randrange(3_000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--way", nargs=4, help="used by the benchmark itself")
    options = parser.parse_args()
    if options.way:
        _way(*options.way)
        return
    num = options.documents
    found: dict[tuple[str, str], Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        documents = list(made(num, seed=1))
        for order in ("ascending", "shuffled"):
            if order == "shuffled":
                random.Random(2).shuffle(documents)
            with serve(documents, work / f"server_{order}") as connection:
                names = ("ours", "recipe") if order == "ascending" else ("ours",)
                for name in names:
                    command = [sys.executable, "-m", "benchmarks.safety_extract", "--way", name]
                    arguments = [connection.uri, str(num), str(work / f"{name}_{order}")]
                    env = {PASSWORD_VARIABLE: str(connection.password)}
                    measured = run_alternately({name: [*command, *arguments]}, options.rounds, env)
                    found[name, order] = measured[name]
        texts = {str(one["_id"]): str(one[FIELDS.text]) for one in documents}
        _check(texts, work / "ours_ascending", work / "ours_shuffled")
        leaked = json.loads((work / "recipe_ascending/leaked.json").read_text())
    ours = max((found["ours", order] for order in ("ascending", "shuffled")), key=_median)
    recipe = found["recipe", "ascending"]
    size = f"{num:,} documents to Parquet and xlsx"
    rows = [
        Row(
            work=f"{size}: the same strings, and the same rows from two orders",
            ours=f"{ours.median:.1f} s",
            rival="",
            figure=ours.median,
            goal=SECONDS,
            at_most=True,
            unit="s",
        ),
        Row(
            work=f"{size}, peak memory",
            ours=f"{ours.peak_bytes / 1e6:,.0f} MB",
            rival=f"{RECIPE}: {recipe.peak_bytes / 1e6:,.0f} MB",
            figure=ours.peak_bytes / 1e6,
            goal=MEGABYTES,
            at_most=True,
            unit="MB",
        ),
        Row(
            work=f"{size}; rows of val and test that are in train too: 0, the recipe's {leaked:,}",
            ours=f"{ours.median:.1f} s",
            rival=f"{RECIPE}: {recipe.median:.1f} s",
            figure=ours.median / recipe.median,
            goal=2,
            at_most=True,
        ),
    ]
    save("safety_extract", rows, options.rounds)
    for row in rows:
        print(row)


def _median(measured: Measured) -> float:
    return measured.median


def _check(texts: dict[str, str], one: Path, other: Path) -> None:
    """Raise where a string differs anywhere, or the two orders gave other files."""
    if sha256_folder(one) != sha256_folder(other):
        raise UserError("two orders of the same documents gave other rows")
    for split in SPLITS:
        table = pq.read_table(one / f"{split}.parquet")
        ids, written, labels = (table[name].to_pylist() for name in ("id", "text", "label"))
        with CalamineWorkbook.from_path(one / f"{split}.xlsx") as book:
            _, *rows = book.get_sheet_by_index(0).iter_rows()
        exact = [texts[id_] for id_ in ids] == written == [row[0] for row in rows]
        if not exact or labels != [row[1] for row in rows]:
            raise UserError(f"{split}: a string is not the same in documents, Parquet and xlsx")


def _way(name: str, uri: str, num: str, target: str) -> None:
    connection = Connection(uri, "safety", "documents", "reader", "safety", find_password("reader"))
    quotas = {
        split: dict.fromkeys(CLASSES, int(int(num) / len(CLASSES) * share))
        for split, share in SHARES.items()
    }
    folder = Path(target)
    folder.mkdir(exist_ok=True)
    started = time.perf_counter()
    if name == "ours":
        extracted = extract(
            lambda: read_documents(connection, FIELDS),
            connection.shown,
            quotas=quotas,
            multi_label="refuse",
            unknown_label="refuse",
            allow_fewer=False,
            threshold=0.7,
            seed=1,
        )
        write_splits(extracted, folder, with_xlsx=True)
        seconds = time.perf_counter() - started
    else:
        ids = _recipe(connection, quotas, folder)
        seconds = time.perf_counter() - started
        leaked = len((ids["val"] | ids["test"]) & ids["train"])
        (folder / "leaked.json").write_text(json.dumps(leaked))
    print(json.dumps({"seconds": seconds}), flush=True)
    os._exit(0)  # what Python does at its end is not part of the work


def _recipe(
    connection: Connection, quotas: dict[str, dict[str, int]], folder: Path
) -> dict[str, set[object]]:
    """The recipe in use: each split drawn by itself; the ids of each."""
    import pandas as pd

    ids: dict[str, set[object]] = {}
    with connect(connection) as client:
        collection = client[connection.database][connection.collection]
        for split, quota in quotas.items():
            frames = []
            for label, number in quota.items():
                steps: list[dict[str, Any]] = [
                    {"$match": {FIELDS.label: label}},
                    {"$sample": {"size": number}},
                ]
                frames.append(pd.DataFrame(list(collection.aggregate(steps))))
            frame = pd.concat(frames)
            ids[split] = set(frame["_id"])
            columns = [FIELDS.text, FIELDS.label]
            frame[columns].to_excel(folder / f"{split}.xlsx", index=False, engine="xlsxwriter")
    return ids


if __name__ == "__main__":
    run_program(main)
