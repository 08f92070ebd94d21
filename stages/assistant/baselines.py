"""Answer the test rows by systems without a language model.

Reads   tasks.yaml, data/processed/{train,test}.parquet
Writes  data/predictions/{majority,tfidf,nearest,pattern}.parquet, metrics/baselines.json
Run     dvc repro baselines      (alone: python -m stages.assistant.baselines)
"""

from pathlib import Path

from tqdm import tqdm

from newsrec.assistant.answers import read_split, write_predictions
from newsrec.assistant.baselines import answer_task
from newsrec.assistant.tables import BASELINES
from newsrec.assistant.tasks import read_tasks
from newsrec.files import write_json
from newsrec.running.stage import run_stage

PROCESSED, PREDICTIONS = Path("data/processed"), Path("data/predictions")


def main() -> None:
    tasks = read_tasks()
    train, test = (read_split(PROCESSED / f"{name}.parquet", tasks) for name in ("train", "test"))
    found: dict[str, list[tuple[str, str, str, str, str | None]]] = {name: [] for name in BASELINES}
    untrained = []
    for name, task in tqdm(tasks.items(), desc="baselines", unit="task"):
        learned, rows = train[train["task"] == name], test[test["task"] == name]
        if learned.empty:
            untrained.append(name)
        for baseline, answers in answer_task(task, learned, rows["input"].tolist()).items():
            for id_, asked, answer in zip(rows["id"], rows["input"], answers, strict=True):
                choice = answer if task.labels else None
                found[baseline].append((id_, name, asked, answer, choice))
    for baseline, rows_of in found.items():
        write_predictions(rows_of, PREDICTIONS / f"{baseline}.parquet")
    write_json(
        Path("metrics/baselines.json"),
        {
            "num_train_rows": len(train),
            "num_tasks_without_training_rows": len(untrained),
            "num_rows": {name: len(rows_of) for name, rows_of in found.items()},
        },
    )
    without = f"; without training rows: {', '.join(untrained)}" if untrained else ""
    print(f"baselines: {', '.join(found)} on {len(test):,} rows, in {PREDICTIONS}{without}")


if __name__ == "__main__":
    run_stage(main)
