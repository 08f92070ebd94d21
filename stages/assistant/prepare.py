"""Check the rows of every task, split them, and write the samples of training.

Reads   params: prepare; tasks.yaml, the files NAME.jsonl of the folder prepare.path
Writes  data/processed/{train,val,test}.parquet, data/processed/{dataset_info,protocol}.json,
        data/processed/assistant_{train,val}.jsonl, data/processed/assistant_val (a file a task),
        metrics/prepare.json
Run     dvc repro prepare      (alone: python -m stages.assistant.prepare)
"""

import sys
from pathlib import Path

from newsrec.assistant.params import Params
from newsrec.assistant.preparation import gather_rows, prepare
from newsrec.assistant.tables import SPLITS
from newsrec.assistant.tasks import TABLE, read_tasks
from newsrec.files import atomic_folder, sha256_file, write_json
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage

TARGET = Path("data/processed")


def main() -> None:
    settings, tasks = load_params(Params).prepare, read_tasks()
    folder, corpus = Path(settings.path), settings.corpus
    made_up = (corpus.num_rows, corpus.seed) if corpus else None
    rows = gather_rows(tasks, folder, settings.max_chars, made_up)
    with atomic_folder(TARGET) as draft:
        figures, warnings = prepare(
            rows,
            tasks,
            draft,
            threshold=settings.near_copy_threshold,
            val_share=settings.val_share,
            test_share=settings.test_share,
            leave_out=settings.leave_out,
            seed=settings.seed,
        )
        # Of the rows that are measured on: figures compare where those are the same.
        data = f"{'embedded' if corpus else 'files'}, {sha256_file(draft / 'test.parquet')[:12]}"
        drawn = f"near copies from {settings.near_copy_threshold} together, seed {settings.seed}"
        protocol = {"data": data, "split": drawn, "tasks": sha256_file(TABLE)[:12]}
        if settings.leave_out:
            protocol["left_out"] = settings.leave_out
        write_json(draft / "protocol.json", protocol)
    write_json(Path("metrics/prepare.json"), figures | {"protocol": protocol})
    for warning in warnings:
        print(f"prepare: warning: {warning}", file=sys.stderr)
    for path in sorted(folder.glob("*.jsonl")):
        if path.stem not in tasks:
            print(f"prepare: warning: {path} is of no task of {TABLE}: not read", file=sys.stderr)
    counts = (f"{sum(one[s] for one in figures['tasks'].values()):,} {s}" for s in SPLITS)
    without = f", training without {settings.leave_out}" if settings.leave_out else ""
    print(f"prepare: {', '.join(counts)} rows of {len(tasks)} tasks{without}, in {TARGET}")


if __name__ == "__main__":
    run_stage(main)
