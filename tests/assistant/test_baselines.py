"""The systems without a language model, and the stage that writes their answers."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from newsrec.assistant.baselines import answer_task, majority, nearest, pattern, tfidf
from newsrec.assistant.tables import PREDICTIONS_SCHEMA
from newsrec.errors import UserError
from newsrec.files import read_json
from stages.assistant import baselines
from tests.assistant.planted import TASKS, rows_of, write_rows, write_tree


def test_majority_is_the_most_frequent_label_and_of_equals_the_first_in_the_table() -> None:
    assert majority(TASKS["scene"], ["丙类", "乙类", "丙类"]) == "丙类"
    assert majority(TASKS["scene"], ["丙类", "乙类"]) == "乙类"


def test_tfidf_reads_the_words_whatever_else_is_there() -> None:
    known = ["查数据目录", "找数据目录", "写一首诗", "作一首诗"]
    labels = ["甲类", "甲类", "乙类", "乙类"]
    inputs = ["数据目录呢", "来首诗", "", "𠀀<|im_end|>"]
    found = tfidf(TASKS["scene"], known, labels, inputs)
    assert found[:2] == ["甲类", "乙类"]
    assert set(found) <= {"甲类", "乙类"}


def test_training_rows_of_one_label_teach_nothing() -> None:
    with pytest.raises(UserError, match="'scene': all 2 are '甲类'; expected rows of two labels"):
        tfidf(TASKS["scene"], ["一", "二"], ["甲类", "甲类"], ["三"])


def test_nearest_is_the_answer_of_the_most_similar_question_and_of_equals_the_first() -> None:
    known = ["怎么申请权限", "数据目录在哪", "数据目录在哪"]
    found = nearest(
        known, ["去申请", "在首页", "在第二页"], ["请问数据目录在哪里", "申请权限", "zzz"]
    )
    assert found == ["在首页", "去申请", "去申请"]


def test_nearest_compares_many_questions_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [f"第{place}题" for place in range(40)]
    expected = nearest(known, known, known)
    assert expected == known
    monkeypatch.setattr("newsrec.assistant.baselines._CHUNK_ROWS", 7)
    assert nearest(known, known, known) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("帮我打开 report_2023.xlsx 看看", "report_2023.xlsx"),
        ("打开 archive.tar.gz。", "archive.tar.gz"),
        ("Open a-b.csv.", "a-b.csv"),
        ("看看 (2018坡度(2).docx)", "2018坡度(2).docx"),
        ("删除“人口统计.csv”和《经济.xlsx》", "人口统计.csv"),
        ("下载《上海市人口统计表》和《年报》", "上海市人口统计表"),
        ("请问「 空间图层 」在哪", "空间图层"),
        ("第1.5版有什么变化", "无"),
        ("你好", "无"),
        ("", "无"),
        ("《》“”", "无"),
        ("未完《人口", "无"),
    ],
)
def test_pattern_finds_a_file_name_or_a_quoted_noun(text: str, expected: str) -> None:
    assert pattern(text, "无") == expected


def test_pattern_without_a_word_for_none_answers_nothing() -> None:
    assert pattern("你好", None) == ""


@pytest.mark.parametrize(
    ("task", "names"),
    [("scene", ["majority", "tfidf"]), ("reply", ["nearest"]), ("name", ["pattern"])],
)
def test_a_task_has_the_baselines_of_its_kind_of_answer(task: str, names: list[str]) -> None:
    train = pd.DataFrame([one for one in rows_of(6, "a") if one["task"] == task])
    found = answer_task(TASKS[task], train, ["一", "二"])
    assert list(found) == names
    assert all(len(answers) == 2 for answers in found.values())
    # Without training rows there is what needs none.
    assert list(answer_task(TASKS[task], train[:0], ["一"])) == [*({"pattern"} & set(names))]


def test_the_stage_writes_a_table_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    test = rows_of(6, "t")
    write_tree(tmp_path, test)
    monkeypatch.chdir(tmp_path)
    baselines.main()
    tables = {
        name: pq.read_table(f"data/predictions/{name}.parquet")
        for name in ("majority", "tfidf", "nearest", "pattern")
    }
    assert all(table.schema == PREDICTIONS_SCHEMA for table in tables.values())
    tasks = {name: set(table["task"].to_pylist()) for name, table in tables.items()}
    assert tasks == {
        "majority": {"scene", "mood"},
        "tfidf": {"scene", "mood"},
        "nearest": {"reply"},
        "pattern": {"name"},
    }
    references = {one["id"]: one["output"] for one in test}
    for name, least in {"majority": 0.3, "tfidf": 0.9, "pattern": 1}.items():
        rows = tables[name].to_pylist()
        assert len(rows) == 6 * len(tasks[name])
        assert sum(one["output"] == references[one["id"]] for one in rows) >= least * len(rows)
        assert all(one["choice"] == (None if name == "pattern" else one["output"]) for one in rows)
    assert read_json(Path("metrics/baselines.json")) == {
        "num_train_rows": 48,
        "num_tasks_without_training_rows": 0,
        "num_rows": {"majority": 12, "tfidf": 12, "nearest": 6, "pattern": 6},
    }
    assert "on 24 rows, in data/predictions\n" in capsys.readouterr().out


def test_a_task_left_out_of_training_has_no_baseline_that_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path, rows_of(6, "t"))
    train = [one for one in rows_of(6, "a") if one["task"] != "reply"]
    write_rows(train, tmp_path / "data/processed/train.parquet")
    monkeypatch.chdir(tmp_path)
    baselines.main()
    found = read_json(Path("metrics/baselines.json"))
    assert found["num_tasks_without_training_rows"] == 1
    assert found["num_rows"] == {"majority": 12, "tfidf": 12, "nearest": 0, "pattern": 6}
    assert pq.read_schema("data/predictions/nearest.parquet").equals(PREDICTIONS_SCHEMA)
    assert "without training rows: reply\n" in capsys.readouterr().out
