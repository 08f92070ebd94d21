"""The card of the assistant."""

from pathlib import Path

import pytest

from newsrec.assistant.card import task_card
from newsrec.report.card import TaskCard, model_card
from tests.assistant.report import made_up

FOLDER = made_up.ROOT / "pipelines/assistant"


def card_of(data: str, **more: str) -> TaskCard:
    return task_card({"data": f"{data}, 0123456789ab", **more})


def test_the_card_names_every_task_with_what_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    protocol = {"data": "embedded, 0123456789ab", "method": "lora"}
    base = {"source": "tiny", "name": "tiny", "num_parameters": 9, "digest": "abc"}
    text = model_card(task_card(protocol), base, protocol, {"cutoff_len": 512})
    assert "# An assistant of 4 tasks" in text
    assert (
        "- `任务: 问题场景分类`: one of `数据平台相关问题`, `通用问题`, `无关问题`\n"
        "- `任务: 问题类型分类`: one of `问题回答`, `任务处理`\n"
        "- `任务: 问题回答`: a free answer\n"
        "- `任务: 文件名称提取`: a part of the input, or `无` where there is none\n"
    ) in text
    for words in (
        "0123456789ab",
        "512",
        "pipeline_tag: text-generation",
        "`任务: 问题场景分类 ⏎ 输入: …`",
    ):
        assert words in text


def test_whose_the_data_are_follows_from_where_they_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(FOLDER)
    assert "Apache-2.0" in card_of("embedded").licence
    assert "Apache-2.0" not in card_of("files").licence


def test_a_task_left_out_of_training_is_the_first_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    assert "not trained on the task `answer`" in card_of("embedded", left_out="answer").limits[0]
    assert not any("not trained on the task" in one for one in card_of("embedded").limits)


def test_a_hostile_table_of_tasks_stays_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hostile = "`a` *b* | [c](d) &lt;e&gt;"
    made_up.with_task(
        tmp_path, name="other", instruction=hostile, answer="labels", labels=[hostile, "b"]
    )
    monkeypatch.chdir(tmp_path)
    purpose = card_of("embedded").purpose
    assert purpose.count("<code>&#96;a&#96; &#42;b&#42; &#124; &#91;c&#93;&#40;d&#41; &#38;lt") == 2
    assert not {"`a`", "*b*", "&lt;"} & set(purpose.split())
