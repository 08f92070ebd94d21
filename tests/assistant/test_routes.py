"""Which task follows which: by the tuned model's label, as the table says."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from newsrec.assistant.asking import answer_text
from newsrec.assistant.tasks import read_tasks
from newsrec.chat.messages import Messages
from newsrec.engines.model_process import Answered
from newsrec.errors import UserError
from tests import ROOT

TASKS = read_tasks(ROOT / "pipelines/assistant/tasks.yaml")
TABLE = """
tasks:
  - {name: first, instruction: "任务: 甲", answer: labels, labels: [是, 否], next: {%s}}
  - {name: second, instruction: "任务: 乙", answer: text}
"""


@dataclass
class Model:
    """Answers with the next of a few texts."""

    texts: list[str]

    def answer(self, messages: Messages) -> Answered:
        self.asked = messages[0]["content"]
        return Answered(self.texts.pop(0), 0.1)


@pytest.mark.parametrize(
    ("answers", "task", "asked"),
    [
        (["数据平台相关问题", "问题回答", "好"], None, ["scenario", "kind", "answer"]),
        (["数据平台相关问题", "任务处理", "无"], None, ["scenario", "kind", "file_name"]),
        (["无关问题"], None, ["scenario"]),
        (["是数据平台相关问题"], None, ["scenario"]),  # no label
        (["问题回答"], "kind", ["kind"]),  # chosen: nothing follows
    ],
)
def test_the_tuned_models_label_leads_to_the_next_task(
    answers: list[str], task: str | None, asked: list[str]
) -> None:
    models = {"base": Model(["无关问题"] * 3), "tuned": Model(answers)}
    turns = list(answer_text("一\n二", TASKS[task] if task else None, TASKS, models))  # type: ignore[arg-type]
    assert [turn.task.name for turn in turns] == asked
    assert models["base"].asked == f"{TASKS[asked[-1]].instruction}\n输入: 一 二"
    assert [list(turn.answers) for turn in turns] == [["base", "tuned"]] * len(asked)


def test_a_missing_table_is_reported_with_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"tasks\.yaml: no such file; .* run this in pipelines/assi"
    ):
        read_tasks(tmp_path / "tasks.yaml")


@pytest.mark.parametrize(
    ("text", "plain"), [("是<|im_end|>", "是< |im_end|>"), ("是\u200b", "是"), ("是  的", "是 的")]
)
def test_a_label_that_no_row_can_have_is_refused(text: str, plain: str, tmp_path: Path) -> None:
    entry = {"name": "one", "instruction": "任务: 一", "answer": "labels", "labels": [text, "否"]}
    table = yaml.safe_dump({"tasks": [entry]}, allow_unicode=True)
    (tmp_path / "tasks.yaml").write_text(table, encoding="utf-8")
    with pytest.raises(UserError, match=f"control token.*; expected {re.escape(repr(plain))}"):
        read_tasks(tmp_path / "tasks.yaml")


@pytest.mark.parametrize(
    ("follows", "message"),
    [
        ("是: second", ""),
        ("也许: second", "'也许' is no label"),
        ("是: first", "'first' is no task below first; expected one of: second"),
        ("是: third", "'third' is no task below first"),
        ("是: [second]", r"tasks\.0\.next.*should be a valid string"),
        ("}, nexts: {", r"key 'tasks\.0\.nexts': .* did you mean 'next'"),
    ],
)
def test_only_a_label_leads_on_and_only_down_the_table(
    follows: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "tasks.yaml").write_text(TABLE % follows, encoding="utf-8")
    if message:
        with pytest.raises(UserError, match=message):
            read_tasks(tmp_path / "tasks.yaml")
    else:
        assert read_tasks(tmp_path / "tasks.yaml")["first"].next == {"是": "second"}
