"""The stage `prepare` as DVC runs it: its files, its figures, and nothing half-written."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from newsrec.assistant.prompts import user_message
from newsrec.assistant.tables import ROWS_SCHEMA, SAMPLES
from newsrec.assistant.tasks import read_tasks
from newsrec.errors import UserError
from newsrec.training.dataset import SampleSet, read_samples
from stages.assistant import prepare
from tests import ROOT
from tests.quick_yaml import safe_dump, safe_load

PIPELINE = ROOT / "pipelines/assistant"
NAMES = ["scenario", "kind", "answer", "file_name"]
DATA = Path("data/processed")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pipeline as it is committed, with few made-up rows."""
    shutil.copytree(PIPELINE / "rows", tmp_path / "rows")
    shutil.copyfile(PIPELINE / "tasks.yaml", tmp_path / "tasks.yaml")
    monkeypatch.chdir(tmp_path)
    set_values(corpus={"num_rows": 40, "seed": 1})
    return tmp_path


def set_values(**prepare: Any) -> None:
    values = safe_load((PIPELINE / "params.yaml").read_text())
    values["prepare"] |= prepare
    Path("params.yaml").write_text(safe_dump(values))


def figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("metrics/prepare.json").read_text())
    return found


def rows(split: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(DATA / f"{split}.parquet").to_pylist()
    return found


def records(split: str) -> list[dict[str, str]]:
    path = SampleSet(DATA, SAMPLES).file(split)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def content() -> dict[str, bytes]:
    files = (path for path in DATA.rglob("*") if path.is_file())
    return {path.relative_to(DATA).as_posix(): path.read_bytes() for path in files}


def test_every_file_and_figure_is_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.main()
    assert sorted(content()) == [
        *("assistant_train.jsonl", "assistant_val.jsonl"),
        *(f"assistant_val/{name}.jsonl" for name in sorted(NAMES)),
        *("dataset_info.json", "protocol.json", "test.parquet", "train.parquet", "val.parquet"),
    ]
    found = figures()
    assert json.loads((DATA / "protocol.json").read_text()) == found["protocol"]
    assert found["protocol"]["data"].startswith("embedded, ")
    assert all(isinstance(value, str) for value in found["protocol"].values())
    assert list(found["tasks"]) == NAMES
    total = 0
    for split in ("train", "val", "test"):
        assert pq.read_schema(DATA / f"{split}.parquet") == ROWS_SCHEMA
        for task in NAMES:
            total += (num := sum(one["task"] == task for one in rows(split)))
            assert num == found["tasks"][task][split]
    assert total == found["num_rows"] == 4 * 40 + sum(1 for _ in hand_written())
    assert found["tasks"]["file_name"]["test_tags"]["no-file"] > 3
    assert 4 < found["tasks"]["answer"]["input_chars"]["median"] < 40
    assert "test rows of 4 tasks, in data/processed" in capsys.readouterr().out


def hand_written() -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted((PIPELINE / "rows").glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def test_samples_are_the_rows_of_their_split_as_the_prompt_has_them(project: Path) -> None:
    prepare.main()
    tasks = read_tasks()
    for split in ("train", "val"):
        path = SampleSet(DATA, SAMPLES).file(split)
        expected = [
            (user_message(tasks[one["task"]], one["input"]), one["output"]) for one in rows(split)
        ]
        assert list(read_samples(path)) == expected
        assert [one["id"] for one in records(split)] == [one["id"] for one in rows(split)]
    # Each task is validated on alone, too.
    assert SampleSet(DATA, SAMPLES).val_parts() == NAMES
    for name in NAMES:
        assert records(f"val_{name}") == [one for one in records("val") if one["task"] == name]
    ids = [one["id"] for split in ("train", "val", "test") for one in rows(split)]
    assert len(ids) == len(set(ids))


def test_no_cluster_lies_in_two_splits_and_the_same_run_makes_the_same_files(project: Path) -> None:
    prepare.main()
    clusters = [{one["cluster"] for one in rows(split)} for split in ("train", "val", "test")]
    assert not clusters[0] & clusters[1] | clusters[0] & clusters[2] | clusters[1] & clusters[2]
    before = content()
    prepare.main()
    assert content() == before
    set_values(corpus={"num_rows": 40, "seed": 1}, seed=7)
    prepare.main()
    assert content() != before


def test_a_task_is_left_out_of_training_alone(project: Path) -> None:
    prepare.main()
    whole = {split: rows(split) for split in ("train", "val", "test")}
    protocol = figures()["protocol"]
    set_values(corpus={"num_rows": 40, "seed": 1}, leave_out="kind")
    prepare.main()
    # From there the card of the model knows it.
    assert figures()["protocol"] == {**protocol, "left_out": "kind"}
    assert {split: rows(split) for split in ("train", "val", "test")} == whole
    for split in ("train", "val"):
        assert {one["task"] for one in records(split)} == set(NAMES) - {"kind"}
        others = [one["id"] for one in whole[split] if one["task"] != "kind"]
        assert [one["id"] for one in records(split)] == others
    assert SampleSet(DATA, SAMPLES).val_parts() == [name for name in NAMES if name != "kind"]


def test_a_task_to_leave_out_that_is_none_is_answered_with_the_list(project: Path) -> None:
    set_values(leave_out="kinds")
    expected = "leave_out is 'kinds'; expected one of: answer, file_name, kind, scenario; did you"
    with pytest.raises(UserError, match=expected):
        prepare.main()
    assert not DATA.exists()


FIFTH: dict[str, tuple[dict[str, Any], list[str]]] = {
    "labels": ({"labels": ["急", "不急"]}, ["急", "不急"]),
    "text": ({}, ["收到", "稍等"]),
    "span": ({"none": "没有"}, ["没有", "没有"]),
}


@pytest.mark.parametrize("answer", FIFTH)
def test_another_task_is_an_entry_and_a_file(
    project: Path, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    entry, outputs = FIFTH[answer]
    table = safe_load(Path("tasks.yaml").read_text())
    table["tasks"].append({"name": "fifth", "instruction": "任务: 第五", "answer": answer, **entry})
    Path("tasks.yaml").write_text(safe_dump(table))
    texts = (
        "马上要用",
        "下个月再说",
        "随便哪天都行",
        "领导在等结果",
        "今晚之前做完",
        "没想好要不要",
    )
    lines = [
        json.dumps({"input": text, "output": outputs[number % 2]})
        for number, text in enumerate(texts)
    ]
    Path("rows/fifth.jsonl").write_text("\n".join(lines))
    prepare.main()
    counts = figures()["tasks"]["fifth"]
    assert (counts["train"], counts["val"], counts["test"]) == (4, 1, 1)
    fifth = [one for one in records("train") if one["task"] == "fifth"]
    assert [one["instruction"] for one in fifth] == ["任务: 第五"] * 4
    assert {one["output"] for one in fifth} <= set(outputs)
    # Its one test row is too little, and that of the others enough.
    few = "test rows of the task 'fifth' lie in 1 clusters of near copies; fewer than 6 allow no"
    warned = capsys.readouterr().err
    assert few in warned
    assert warned.count("allow no verdict") == 1


def test_a_user_s_own_folder_is_read_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("tasks.yaml").write_text(
        "tasks: [{name: own, instruction: 'Task: own', answer: labels, labels: [a, b]}]"
    )
    Path("own").mkdir()
    texts = {"red car": "b", "blue boat": "b", "green train": "a", "old horse": "a"}
    lines = [json.dumps({"input": text, "output": label}) for text, label in texts.items()]
    Path("own/own.jsonl").write_text("\n".join(lines))
    Path("own/owl.jsonl").write_text("\n".join(lines))
    set_values(path="own", corpus=None)
    prepare.main()
    assert figures()["num_rows"] == 4
    assert figures()["protocol"]["data"].startswith("files, ")
    assert "warning: own/owl.jsonl is of no task of tasks.yaml" in capsys.readouterr().err


def test_rows_that_are_changed_or_left_out_are_said_of(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("rows/kind.jsonl").open("a") as stream:
        for text, split in (
            ("特别的一个新问题在这里问", "test"),
            ("特别的一个新问题在这里问呢", "train"),
        ):
            stream.write(json.dumps({"input": text, "output": "问题回答", "split": split}) + "\n")
    num_lines = len(Path("rows/kind.jsonl").read_text().splitlines())
    prepare.main()
    assert figures()["num_left_out"] == 1
    assert figures()["num_made_plain"] == 0
    warned = capsys.readouterr().err
    assert "made plain" not in warned
    assert (
        "warning: 1 rows assigned to a split have a near copy in another one, and are left out; "
        f"the first: rows/kind.jsonl, line {num_lines}\n"
    ) in warned
    inputs = {one["input"] for split in ("train", "val", "test") for one in rows(split)}
    assert "特别的一个新问题在这里问" in inputs
    assert "特别的一个新问题在这里问呢" not in inputs


def test_control_tokens_that_are_made_plain_are_said_of(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = len(Path("rows/answer.jsonl").read_text().splitlines()) + 1
    with Path("rows/answer.jsonl").open("a") as stream:
        for text in ("目录<|im_end|>在哪里可以看到", "清洗层\u200b怎么申请"):
            stream.write(json.dumps({"input": text, "output": "在首页"}) + "\n")
    prepare.main()
    assert figures()["num_made_plain"] == 2
    assert (
        "warning: 2 rows had control tokens, or characters that print nothing, which were made "
        f"plain; the first: rows/answer.jsonl, line {first}\n"
    ) in capsys.readouterr().err


def test_a_task_without_a_row_in_a_split_is_refused(project: Path) -> None:
    set_values(corpus=None)
    line = json.dumps({"input": "只有这一行", "output": "无"})
    Path("rows/file_name.jsonl").write_text(line)
    expected = r"task 'file_name': no row in train \(0 train, 0 val, 1 test\)"
    with pytest.raises(UserError, match=expected):
        prepare.main()


def test_training_rows_of_one_label_are_refused_before_hours_of_training(project: Path) -> None:
    lines = [json.loads(line) for line in Path("rows/kind.jsonl").read_text().splitlines()]
    others = [one | {"split": "test"} for one in lines if one["output"] != "问题回答"]
    train = [one | {"split": "train"} for one in lines if one["output"] == "问题回答"]
    assert len(others) > 1 < len(train)
    train[0]["split"] = "val"
    text = "\n".join(json.dumps(one) for one in others + train)
    Path("rows/kind.jsonl").write_text(text)
    set_values(corpus=None)
    expected = r"task 'kind': all rows in train have the label '问题回答'; expected rows of two"
    with pytest.raises(UserError, match=expected):
        prepare.main()
    assert not DATA.exists()


def test_a_fault_leaves_the_earlier_result_as_it_was(project: Path) -> None:
    prepare.main()
    before, metrics = content(), Path("metrics/prepare.json").read_bytes()
    with Path("rows/answer.jsonl").open("a") as stream:
        stream.write('{"input": "半行')
    with pytest.raises(UserError, match=r"rows/answer\.jsonl, line \d+: not JSON"):
        prepare.main()
    assert content() == before
    assert Path("metrics/prepare.json").read_bytes() == metrics
    assert [path.name for path in Path("data").iterdir()] == ["processed"]
