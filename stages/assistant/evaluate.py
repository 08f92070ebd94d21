"""Turn predictions into numbers, task by task; knows no model.

Reads   params: evaluate, judge, prepare.leave_out; tasks.yaml, data/processed/test.parquet,
        data/processed/protocol.json, data/outside,
        data/predictions/{base,tuned,majority,tfidf,nearest,pattern}.parquet, data/judged.parquet,
        metrics/{judge,score_base,score_tuned}.json, models/adapter (its protocol)
Writes  metrics/{evaluate,slices,confusion}.json
Run     dvc repro evaluate      (alone: python -m stages.assistant.evaluate)
"""

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from newsrec.assistant.answers import read_answers, read_split
from newsrec.assistant.evaluation.judged import judge_figures
from newsrec.assistant.evaluation.protocols import read_protocol
from newsrec.assistant.evaluation.slices import measure_slices
from newsrec.assistant.evaluation.systems import PRIMARY, confusion, gains, measure
from newsrec.assistant.params import Params
from newsrec.assistant.tables import BASELINES
from newsrec.assistant.tasks import read_tasks
from newsrec.assistant.verdicts import JUDGED_SCHEMA
from newsrec.files import read_table, write_json
from newsrec.metrics.significance import ClusterBootstrap
from newsrec.models.names import MODELS
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage

TEST, PREDICTIONS = Path("data/processed/test.parquet"), Path("data/predictions")
METRICS = Path("metrics")


def main() -> None:
    params, tasks = load_params(Params), read_tasks()
    draws = (params.evaluate.num_resamples, params.evaluate.seed)
    test = read_split(TEST, tasks)
    answers, by_text = read_answers(
        PREDICTIONS, (*MODELS, *BASELINES), MODELS, test, tasks, Path("data/outside")
    )
    for name in by_text:
        why = f"only one of {' and '.join(MODELS)} picked labels of {name} under a constraint"
        print(f"evaluate: warning: {why}: all are measured by free text", file=sys.stderr)
    protocol = read_protocol(Path(), *draws)
    figures: dict[str, dict[str, Any]] = {}
    slices: list[dict[str, Any]] = []
    confusions: dict[str, dict[str, Any]] = {}
    for task in tqdm(tasks.values(), desc="evaluate", unit="task"):
        rows = test[test["task"] == task.name]
        known = {
            system: table.loc[rows.index]
            for system, table in answers.items()
            if task.name in set(table["task"])
        }
        bootstrap = ClusterBootstrap(rows["cluster"], *draws)
        measured = {
            system: measure(task, rows, table, bootstrap) for system, table in known.items()
        }
        figures[task.name] = {
            "answer": task.answer,
            "num_rows": len(rows),
            "num_clusters": int(rows["cluster"].nunique()),
            "primary": PRIMARY[task.answer],
            "by_text": task.name in by_text,
            "systems": {system: one.figures for system, one in measured.items()},
            "gains": {
                system: gains(measured["tuned"], one)
                for system, one in measured.items()
                if system != "tuned"
            },
        }
        slices += measure_slices(task, rows, measured, bootstrap)
        if task.labels:
            confusions[task.name] = {
                system: {"labels": list(task.labels), "rows": confusion(task, rows, table)}
                for system, table in known.items()
            }
    judged = read_table(Path("data/judged.parquet"), JUDGED_SCHEMA.names)
    write_json(
        METRICS / "evaluate.json",
        {
            "protocol": protocol,
            "left_out": params.prepare.leave_out,
            "tasks": figures,
            "judge": judge_figures(judged, test, *draws) if params.judge.model else None,
        },
    )
    write_json(METRICS / "slices.json", slices)
    write_json(METRICS / "confusion.json", confusions)
    for name, found in figures.items():
        metric, systems = found["primary"], found["systems"]
        shown = (f"{system} {one[metric]['value']:.4f} " for system, one in systems.items())
        print(f"evaluate: {name:9} {metric:8}", *shown)


if __name__ == "__main__":
    run_stage(main)
