"""A run of the assistant that never was: rows, answers, and figures in the form of `evaluate`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from newsrec.assistant.report.answered import Answered, answered_rows
from newsrec.assistant.tables import BASELINES, PREDICTIONS_SCHEMA, ROWS_SCHEMA
from newsrec.assistant.tasks import Task, read_tasks
from newsrec.models.names import MODELS
from newsrec.params.compose import compose
from tests import ROOT
from tests.quick_yaml import safe_load

TASKS = read_tasks(ROOT / "pipelines/assistant/tasks.yaml")
NONE = str(TASKS["file_name"].none)
LABELS = {name: task.labels for name, task in TASKS.items()}
PLACES = ("云溪", "松岭", "白沙", "月湾")
LAYERS = ("贴源层", "明细层", "汇总层")
TAGS = ("unseen-phrasing", "unseen-place", "typo", "out-of-scope", "injection")
PRIMARY = {"labels": "accuracy", "text": "chrf", "span": "exact"}
METRICS = {
    "labels": ("accuracy", "macro_f1", "free_accuracy", "outside"),
    "text": ("exact", "chrf", "char_f1"),
    "span": ("exact", "char_f1", "invented", "none_right"),
}
# How good each system is, as a share; a baseline that is not there does not know the kind.
GOOD = {
    "labels": {"base": 0.02, "tuned": 0.97, "majority": 0.42, "tfidf": 0.93},
    "text": {"base": 0.03, "tuned": 0.81, "nearest": 0.8},
    "span": {"base": 0.01, "tuned": 0.95, "pattern": 0.7},
}
PROTOCOL = {"data": "embedded, 0123456789ab", "engine": "vllm", "model": "tiny-qwen3 (tiny), 12"}
MADE_BY = {
    "commit": "ab" * 20,
    "uncommitted_changes": False,
    "python": "3.11.7",
    "packages": {"torch": "2.13.0", "vllm": "0.32.0"},
    "cpu": "A processor, 2 logical cores",
    "gpus": [],
}


def _scenario(place: int, town: str, layer: str) -> tuple[str, str]:
    texts = (
        f"{town}的{layer}什么时候可以申请权限?编号{place}",
        f"怎样安排一次{place}人的会议",
        f"{town}今晚的球赛是几比几,第{place}场",
    )
    return texts[place % 3], LABELS["scenario"][place % 3]


def _kind(place: int, town: str, layer: str) -> tuple[str, str]:
    texts = (f"{layer}和接口层有什么不同,{town}{place}号", f"把{town}的第{place}张表清洗到{layer}")
    return texts[place % 2], LABELS["kind"][place % 2]


def _answer(place: int, town: str, layer: str) -> tuple[str, str]:
    text = f"{town}第{place}批数据怎么发布到{layer}?"
    return text, f"先在目录里登记第{place}批数据,检查字段,再由{town}的管理员发布到{layer}。"


def _file_name(place: int, town: str, layer: str) -> tuple[str, str]:
    if place % 5 == 4:
        return f"{town}的{layer}现在有多少张表?第{place}次问", NONE
    name = f"{town}_{layer}_{place}.csv"
    return f"请把{name}里的空行删掉", name


_ROW: dict[str, Callable[[int, str, str], tuple[str, str]]] = {
    "scenario": _scenario,
    "kind": _kind,
    "answer": _answer,
    "file_name": _file_name,
}


def rows(num: int = 40) -> pd.DataFrame:
    """`num` test rows of each task."""
    found = []
    for name, row in _ROW.items():
        for place in range(num):
            text, output = row(place, PLACES[place % 4], LAYERS[place % 3])
            tags = [TAGS[place % 5]] if place % 2 else []
            keys = {"id": f"{name}-{place}", "task": name, "tags": tags, "cluster": place}
            found.append({**keys, "input": text, "output": output})
    return pd.DataFrame(found)[ROWS_SCHEMA.names]


def predictions(of: pd.DataFrame, tasks: Mapping[str, Task] = TASKS) -> dict[str, pd.DataFrame]:
    """What each system answers: right in as many rows as `GOOD` says, else wrong in all ways."""
    found = {}
    for number, system in enumerate((*MODELS, *BASELINES)):
        rng, answers = np.random.default_rng(number), []
        for row in of.itertuples():
            task = tasks[row.task]
            if system in GOOD[task.answer]:
                is_right = rng.random() < GOOD[task.answer][system]
                answers.append(_answer_of(system, task, row, is_right, len(answers)))
        found[system] = pd.DataFrame(answers, columns=PREDICTIONS_SCHEMA.names, dtype=object)
    return found


def _answer_of(system: str, task: Task, row: Any, is_right: bool, place: int) -> tuple[Any, ...]:
    text, choice = row.output, row.output if task.labels else None
    if not is_right:
        wrong = {
            "labels": ["我不知道", *(label for label in task.labels if label != row.output)],
            "text": [row.output[:8], "", "请联系管理员。"],
            "span": ["云溪_总表.xlsx", row.input[2:6], "", str(task.none)],
        }[task.answer]
        text = wrong[place % len(wrong)]
        choice = wrong[1] if task.labels else None
    elif task.labels and place % 7 == 0 and system == "base":
        text = "数据数据数据"  # only the constraint makes it right
    return row.id, row.task, row.input, text, choice


def figure(value: float, width: float, top: float = 1.0) -> dict[str, float]:
    """A figure with an interval."""
    low, high = max(0.0, value - width), min(top, value + width)
    return {"value": value, "low": low, "high": high}


def gain(value: float, width: float) -> dict[str, float]:
    """A gain with an interval, and p."""
    p = 0.002 if abs(value) > width else 0.21
    return {"value": value, "low": value - width, "high": value + width, "p": p}


def metrics(tasks: Mapping[str, Task] = TASKS, num: int = 40) -> dict[str, Any]:
    """What metrics/evaluate.json holds."""
    return {
        "protocol": dict(PROTOCOL),
        "left_out": None,
        "tasks": {name: _of_task(task, num) for name, task in tasks.items()},
        "judge": None,
    }


def _of_task(task: Task, num: int) -> dict[str, Any]:
    systems: dict[str, dict[str, Any]] = {}
    for place, (system, good) in enumerate(GOOD[task.answer].items()):
        systems[system] = {}
        for number, metric in enumerate(METRICS[task.answer]):
            scale = 100.0 if metric == "chrf" else 1.0
            value = good - 0.001 * number - 0.0001 * place
            value = 1 - value if metric in ("outside", "invented") else value
            systems[system][metric] = figure(scale * value, scale * 0.021, scale)
    gains = {
        system: {
            metric: gain(
                systems["tuned"][metric]["value"] - found["value"],
                3.1 if metric == "chrf" else 0.031,
            )
            for metric, found in of_system.items()
        }
        for system, of_system in systems.items()
        if system != "tuned"
    }
    primary = PRIMARY[task.answer]
    return {
        "answer": task.answer,
        "num_rows": num,
        "num_clusters": num,
        "primary": primary,
        "by_text": False,
        "systems": systems,
        "gains": gains,
    }


def slices(of: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What metrics/slices.json holds."""
    parts = (*TAGS, "unseen", "length 4 to 15", "length 16 to 30")
    return [
        {
            "task": name,
            "slice": part,
            "system": system,
            "metric": metric,
            **{
                end: (0.97 - 0.01 * number) * found[metric][end] for end in ("value", "low", "high")
            },
            "num_rows": 8 + number,
            **({"gain": task["gains"][system][metric]} if system != "tuned" else {}),
        }
        for name, task in of["tasks"].items()
        for number, part in enumerate(parts)
        for metric in (task["primary"], *(("invented",) if task["answer"] == "span" else ()))
        for system, found in task["systems"].items()
    ]


def confusion(
    of: pd.DataFrame, said: Mapping[str, pd.DataFrame], tasks: Mapping[str, Task] = TASKS
) -> dict[str, Any]:
    """What metrics/confusion.json holds."""
    found: dict[str, Any] = {}
    for name, task in tasks.items():
        for system, table in said.items() if task.labels else ():
            both = of.merge(table, on=["id", "task", "input"], suffixes=("", "_said"))
            both = both[both["task"] == name]
            if len(both):
                columns = [*task.labels, None]
                counts = [
                    [
                        int(
                            (
                                (both["output"] == label) & _is(both["output_said"], column, task)
                            ).sum()
                        )
                        for column in columns
                    ]
                    for label in task.labels
                ]
                labels = {"labels": list(task.labels), "rows": counts}
                found.setdefault(name, {})[system] = labels
    return found


def _is(said: pd.Series, label: str | None, task: Task) -> pd.Series:
    return ~said.isin(task.labels) if label is None else said == label


JUDGE = {
    "answer": {
        "num_pairs": 40,
        "num_same": 2,
        "num_unparsed": 1,
        "num_unanswered": 0,
        "verdicts": {"tuned": 30, "base": 3, "tie": 4, "order": 2, "none": 1},
        "agreement": {"value": 0.946, "low": 0.87, "high": 0.99},
        "tuned_preferred": {"value": 0.846, "low": 0.74, "high": 0.93},
    }
}


def stages() -> dict[str, dict[str, Any]]:
    """What the other files of metrics hold."""
    model = {"source": "tiny", "num_parameters": 697_408, "digest": "cd34"}
    scored = {"protocol": PROTOCOL, "engine": "vllm", "num_rows": 160, "num_prompts": 240}
    return {
        "fetch_model": model,
        "prepare": {"protocol": PROTOCOL, "num_rows": 800, "tasks": {"answer": {"test": 40}}},
        "train": {"method": "lora", "num_steps": 300, "val_loss": 0.21, "protocol": PROTOCOL},
        "merge": {"kind": "lora", "max_logit_difference": 2.9e-06, "protocol": PROTOCOL},
        "score_base": {**scored, "longest_prompt": 61},
        "score_tuned": {**scored, "longest_prompt": 62},
        "baselines": {"num_train_rows": 600, "num_rows": {"tfidf": 80}},
    }


def timings() -> dict[str, dict[str, Any]]:
    """What metrics/timings holds."""
    return {
        "train": {"provenance": MADE_BY},
        "score_base": {"seconds": 21.5, "prompts_per_second": 11.2, "provenance": MADE_BY},
        "score_tuned": {"seconds": 20.5, "prompts_per_second": 11.7, "provenance": MADE_BY},
    }


def write_run(folder: Path, num: int = 40) -> None:
    """All that the stage reads."""
    found, said = rows(num), predictions(rows(num))
    figures = metrics(num=num)
    compose(folder / "params.yaml", (), "assistant")
    (folder / "tasks.yaml").write_bytes((ROOT / "pipelines/assistant/tasks.yaml").read_bytes())
    for name in ("metrics", "data/processed", "data/predictions"):
        (folder / name).mkdir(parents=True)
    _write_table(found, ROWS_SCHEMA, folder / "data/processed/test.parquet")
    for name, table in said.items():
        _write_table(table, PREDICTIONS_SCHEMA, folder / f"data/predictions/{name}.parquet")
    of_file = {"evaluate": figures, "slices": slices(figures), "confusion": confusion(found, said)}
    for name, values in of_file.items():
        (folder / f"metrics/{name}.json").write_text(json.dumps(values))
    write_facts(folder)


def write_facts(folder: Path) -> None:
    """What the stages before `evaluate` write of themselves, where it is not there yet."""
    of_file = {**stages(), **{f"timings/{name}": timing for name, timing in timings().items()}}
    for name, values in of_file.items():
        target = folder / f"metrics/{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.write_text(json.dumps(values))
    for name in ("train", "val"):
        target = folder / f"plots/loss_{name}.tsv"
        target.parent.mkdir(exist_ok=True)
        target.write_text("step\tloss\n100\t1.5\n200\t0.8\n")
    (folder / "plots/loss_val_parts.tsv").write_text("step\tkind\tanswer\n100\t1.25\t2\n")


def _write_table(table: pd.DataFrame, schema: pa.Schema, target: Path) -> None:
    pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), target)


def with_task(folder: Path, **entry: object) -> dict[str, Task]:
    """The table of tasks with one more."""
    source = ROOT / "pipelines/assistant/tasks.yaml"
    table = safe_load(source.read_text(encoding="utf-8"))
    table["tasks"].append(entry)
    (folder / "tasks.yaml").write_text(yaml.safe_dump(table, allow_unicode=True), encoding="utf-8")
    return dict(read_tasks(folder / "tasks.yaml"))


def answered(of: pd.DataFrame, said: Mapping[str, pd.DataFrame]) -> dict[str, list[Answered]]:
    """The rows with all answers, as they are read from the files."""
    place = pd.Series(of.index, index=of["id"])
    tables = {name: table.set_index(place[table["id"]].to_numpy()) for name, table in said.items()}
    return answered_rows(of, tables)
