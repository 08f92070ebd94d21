"""Tables of rows and predictions: what is refused, in one line each."""

from pathlib import Path

import pandas as pd
import pytest

from newsrec.assistant.answers import common_choices, read_predictions, read_split
from newsrec.errors import UserError
from tests.assistant.planted import TASKS, Answer, right, row, rows_of, write_answers, write_rows

ROWS = rows_of(3, "t")
TABLE = pd.DataFrame(ROWS)


def read(folder: Path, answers: dict[str, Answer], *, whole: bool = True) -> pd.DataFrame:
    write_answers(ROWS, answers, folder / "one.parquet")
    return read_predictions(folder / "one.parquet", TABLE, TASKS, whole=whole)


def test_answers_are_in_the_order_of_the_rows_whatever_the_file_has(tmp_path: Path) -> None:
    write_answers(ROWS[::-1], right(ROWS), tmp_path / "one.parquet")
    found = read_predictions(tmp_path / "one.parquet", TABLE, TASKS, whole=True)
    assert found["output"].tolist() == TABLE["output"].tolist()
    assert found.index.tolist() == list(range(len(ROWS)))


def test_a_missing_text_is_an_empty_one(tmp_path: Path) -> None:
    answers = right(ROWS) | {"rt0": (None, None)}  # type: ignore[dict-item]
    assert read(tmp_path, answers).loc[1, "output"] == ""


def test_a_system_may_know_some_tasks_alone_but_these_whole(tmp_path: Path) -> None:
    some = {id_: answer for id_, answer in right(ROWS).items() if id_[0] in "sm"}
    assert set(read(tmp_path, some, whole=False)["task"]) == {"scene", "mood"}
    assert read(tmp_path, {}, whole=False).empty
    del some["st1"]
    with pytest.raises(UserError, match="1 rows of the test split have no answer, like 'st1'"):
        read(tmp_path, some, whole=False)


def test_a_model_must_answer_every_row(tmp_path: Path) -> None:
    some = {id_: answer for id_, answer in right(ROWS).items() if id_[0] != "n"}
    with pytest.raises(UserError, match="3 rows of the test split have no answer, like 'nt0'"):
        read(tmp_path, some)


@pytest.mark.parametrize("other", [row("x", "reply", "?", "!"), row("rt0", "name", "?", "!")])
def test_answers_to_other_rows_are_refused(tmp_path: Path, other: dict[str, object]) -> None:
    rows = [one for one in ROWS if one["id"] != other["id"]] + [other]
    answers = right(ROWS) | {str(other["id"]): ("!", None)}
    write_answers(rows, answers, tmp_path / "one.parquet")
    with pytest.raises(UserError, match=f"1 rows are not of the test split, like '{other['id']}'"):
        read_predictions(tmp_path / "one.parquet", TABLE, TASKS, whole=True)


def test_answers_to_another_input_of_the_same_id_are_refused(tmp_path: Path) -> None:
    old = [{**one, "input": f"{one['input']}?"} if one["id"] == "nt1" else one for one in ROWS]
    write_answers(old, right(ROWS), tmp_path / "one.parquet")
    expected = "1 answers are to other inputs than those of the test split, like 'nt1' to '下载"
    with pytest.raises(UserError, match=expected):
        read_predictions(tmp_path / "one.parquet", TABLE, TASKS, whole=True)


def test_an_id_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    write_answers([*ROWS, ROWS[0]], right(ROWS), tmp_path / "one.parquet")
    with pytest.raises(UserError, match="1 ids occur more than once, like 'st0'"):
        read_predictions(tmp_path / "one.parquet", TABLE, TASKS, whole=True)
    write_rows([*ROWS, ROWS[0]], tmp_path / "test.parquet")
    with pytest.raises(UserError, match="1 ids occur more than once, like 'st0'"):
        read_split(tmp_path / "test.parquet", TASKS)


@pytest.mark.parametrize(("id_", "expected"), [("st0", "甲类, 乙类, 丙类"), ("rt0", "null")])
def test_a_choice_that_is_no_label_is_refused(tmp_path: Path, id_: str, expected: str) -> None:
    with pytest.raises(
        UserError, match=f"row '{id_}' has the choice '丁类'; expected one of: {expected}"
    ):
        read(tmp_path, right(ROWS) | {id_: ("甲类", "丁类")})


def test_rows_of_another_task_or_label_are_refused(tmp_path: Path) -> None:
    write_rows([*ROWS, row("y", "poem", "?", "!")], tmp_path / "test.parquet")
    with pytest.raises(UserError, match="rows of the task 'poem'; expected those of tasks"):
        read_split(tmp_path / "test.parquet", TASKS)
    write_rows([*ROWS, row("y", "scene", "?", "丁类")], tmp_path / "test.parquet")
    with pytest.raises(UserError, match="row 'y' has the label '丁类'; expected one of: 甲类"):
        read_split(tmp_path / "test.parquet", TASKS)


def test_a_file_that_is_missing_or_damaged_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"one\.parquet: no such file"):
        read_predictions(tmp_path / "one.parquet", TABLE, TASKS, whole=True)
    (tmp_path / "one.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="not a Parquet file"):
        read_predictions(tmp_path / "one.parquet", TABLE, TASKS, whole=True)


def test_choices_that_only_one_model_picked_are_dropped_for_all(tmp_path: Path) -> None:
    lone = {
        id_: (text, None if id_[0] == "m" else choice)
        for id_, (text, choice) in right(ROWS).items()
    }
    answers = {"base": read(tmp_path, lone), "tuned": read(tmp_path, right(ROWS))}
    answers["tfidf"] = answers["tuned"]
    found, dropped = common_choices(answers, ("base", "tuned"))
    assert dropped == ["mood"]
    for name, table in found.items():
        of_task = dict(list(table.groupby("task")["choice"]))
        assert [choice is None for choice in of_task["mood"]] == [True] * 3, name
        assert of_task["scene"].tolist() == answers["tuned"]["choice"][::4].tolist()
