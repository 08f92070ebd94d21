"""A small folder of the pipeline: rows of five tasks, and answers planted by the test."""

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from newsrec.assistant.answers import write_predictions
from newsrec.assistant.tables import BASELINES, ROWS_SCHEMA
from newsrec.assistant.tasks import Task
from newsrec.models.names import MODELS
from tests import ROOT
from tests.quick_yaml import safe_dump, safe_load

LABELS = ("甲类", "乙类", "丙类")
TASKS = {
    "scene": Task("scene", "任务: 场景", "labels", LABELS),
    "reply": Task("reply", "任务: 回答", "text"),
    "name": Task("name", "任务: 名称", "span", none="无"),
    # Beyond what the pipeline has: another task of a kind that is there.
    "mood": Task("mood", "任务: 语气", "labels", ("急", "不急")),
}
Answer = tuple[str, str | None]  # output and choice


def row(
    id_: str, task: str, text: str, output: str, *tags: str, cluster: int | None = None
) -> dict[str, Any]:
    """A row of a split; a cluster of its own if none is given."""
    own = zlib.crc32(id_.encode()) if cluster is None else cluster
    values = (id_, task, text, output, list(tags), own)
    return dict(zip(ROWS_SCHEMA.names, values, strict=True))


def rows_of(num: int, split: str) -> list[dict[str, Any]]:
    """`num` rows of each task, whose words tell the answer."""
    found = []
    for place in range(num):
        label, number = LABELS[place % 3], f"{split}{place}"
        words = {"甲类": "数据目录怎么查", "乙类": "写一首诗吧", "丙类": "今天天气如何"}[label]
        mood = "急" if place % 2 else "不急"
        found += [
            row(f"s{number}", "scene", f"{words}{number}", label, "typo" if place % 4 else "seen"),
            row(f"r{number}", "reply", f"请问第{place}层是什么", f"第{place}层存放第{place}类数据"),
            row(f"n{number}", "name", f"下载《报表{number}》", f"报表{number}")
            if place % 3
            else row(f"n{number}", "name", f"你好{number}", "无", "no-file"),
            row(f"m{number}", "mood", f"{'马上要' if mood == '急' else '有空再看'}{number}", mood),
        ]
    return found


def write_rows(rows: Iterable[Mapping[str, Any]], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([*rows], schema=ROWS_SCHEMA), target)


def write_answers(
    rows: Iterable[Mapping[str, Any]], answers: Mapping[str, Answer], target: Path
) -> None:
    """Predictions of those rows that have an answer by their id."""
    write_predictions(
        (
            (one["id"], one["task"], one["input"], *answers[one["id"]])
            for one in rows
            if one["id"] in answers
        ),
        target,
    )


def right(rows: Iterable[Mapping[str, Any]]) -> dict[str, Answer]:
    """The right answer to each row."""
    return {
        one["id"]: (one["output"], one["output"] if TASKS[one["task"]].labels else None)
        for one in rows
    }


def write_tree(
    folder: Path, test: list[dict[str, Any]], **sections: Mapping[str, Any] | None
) -> None:
    """What the stages read: `test`, training rows, right answers of tuned, others of base.

    Args:
        folder: to write into.
        test: rows of the test split.
        sections: values of params.yaml that are other than those of the pipeline.
    """
    params = safe_load((ROOT / "pipelines/assistant/params.yaml").read_text())
    for name, section in {"evaluate": {"num_resamples": 30}, **sections}.items():
        params[name] = section if section is None else {**(params[name] or {}), **section}
    (folder / "params.yaml").write_text(safe_dump(params), encoding="utf-8")
    tasks = [
        {
            "name": task.name,
            "instruction": task.instruction,
            "answer": task.answer,
            **({"labels": [*task.labels]} if task.labels else {}),
            **({"none": task.none} if task.none else {}),
        }
        for task in TASKS.values()
    ]
    text = yaml.safe_dump({"tasks": tasks}, allow_unicode=True)
    (folder / "tasks.yaml").write_text(text, encoding="utf-8")
    write_rows(rows_of(12, "train"), folder / "data/processed/train.parquet")
    write_rows(test, folder / "data/processed/test.parquet")
    write_answers(test, right(test), folder / "data/predictions/tuned.parquet")
    wrong = {one["id"]: ("不知道", None) for one in test}
    write_answers(test, wrong, folder / "data/predictions/base.parquet")
    for name in BASELINES:
        write_answers([], {}, folder / f"data/predictions/{name}.parquet")
    protocol = {"data": "made up", "tasks": "ab12"}
    files: dict[str, Any] = {
        "data/processed/protocol.json": protocol,
        "models/adapter/protocol.json": {**protocol, "method": "lora"},
        **{
            f"metrics/score_{name}.json": {"protocol": {**protocol, "engine": "vllm"}}
            for name in MODELS
        },
    }
    for name, values in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(values), encoding="utf-8")


def shuffled(source: Path, seed: int) -> None:
    """The rows of a Parquet file in another order."""
    table = pq.read_table(source)
    order = pd.Series(range(len(table))).sample(frac=1, random_state=seed)
    pq.write_table(table.take(order.tolist()), source)
