"""Rows of a task's file are checked one by one, and against each other."""

import json
from pathlib import Path
from typing import Any

import pytest

from newsrec.assistant.rows import Row, check_row, check_together, read_rows
from newsrec.assistant.tasks import Task
from newsrec.errors import UserError

LABELS = Task("label", "任务: 分类", "labels", ("是", "否"))
TEXT = Task("text", "任务: 回答", "text")
SPAN = Task("span", "任务: 提取", "span", none="无")
ALWAYS = Task("always", "任务: 总有", "span")


def read(folder: Path, *lines: object, task: Task = TEXT) -> list[Row]:
    """What is read from a file of these lines, as they are or to be written as JSON."""
    written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / f"{task.name}.jsonl").write_text("\n".join(written) + "\n")
    return list(read_rows(folder, task, max_chars=20))


def row(text: str, output: str = "好", task: Task = TEXT, **values: Any) -> Row:
    given = {"input": text, "output": output, **values}
    return check_row(given, task, "1", f"{task.name}.jsonl, line 1", 100)


def test_a_row_has_what_its_line_says(tmp_path: Path) -> None:
    line = {"input": "怎么清洗", "output": "点开始", "split": "test", "tags": ["typo", "mine"]}
    (found,) = read(tmp_path, line)
    assert found == Row(
        id="text-1",
        task="text",
        input="怎么清洗",
        output="点开始",
        split="test",
        tags=("typo", "mine"),
        where=f"{tmp_path}/text.jsonl, line 1",
        was_made_plain=False,
    )


def test_the_byte_order_mark_of_windows_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    lines = '{"input": "a", "output": "b"}\r\n{"input": "c", "output": "d"}\r\n'
    (tmp_path / "text.jsonl").write_text(lines, encoding="utf-8-sig")
    assert [one.input for one in read_rows(tmp_path, TEXT, max_chars=20)] == ["a", "c"]


def test_split_and_tags_need_not_be_given_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    found = read(tmp_path, {"input": "a", "output": "b"}, "", " \r", {"input": "c", "output": "d"})
    assert [(one.id, one.split, one.tags) for one in found] == [
        ("text-1", None, ()),
        ("text-4", None, ()),
    ]


GOOD = {"input": "一", "output": "是"}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"input": "一", "output"', r"not JSON \(Expecting ':' delimiter\); expected an object"),
        ('{"input": "一", "output": ' + "[" * 100_000, "not JSON"),
        ("[1]", "found list; expected a JSON object"),
        ({"input": "一"}, "no 'output'; expected input and output, found keys: input"),
        ({}, "no 'input'; expected input and output, found keys: none"),
        ({**GOOD, "tag": []}, "a key is 'tag'; expected one of: .*; did you mean 'tags'"),
        ({**GOOD, "output": 7}, "output is 7; expected a string"),
        ({**GOOD, "input": None}, "input is None; expected a string"),
        ({**GOOD, "input": " \u200b\n"}, r"input is ' \\u200b\\n'; expected text"),
        ({**GOOD, "input": "一" * 21}, r"input has 21 characters, more than prepare\.max_chars=20"),
        ({**GOOD, "input": "一\ud800"}, r"input has half a character, '\\ud800', at position 1"),
        ({**GOOD, "split": "dev"}, "split is 'dev'; expected one of: test, train, val"),
        ({**GOOD, "split": ["val"]}, r"split is \['val'\]; expected one of"),
        ({**GOOD, "tags": "typo"}, "tags is 'typo'; expected a list of strings"),
        ({**GOOD, "tags": [1]}, "a tag is 1; expected a string"),
        ({**GOOD, "output": "对"}, "the label is '对'; expected one of: 否, 是"),
    ],
)
def test_a_fault_is_named_with_its_file_and_line(tmp_path: Path, line: object, fault: str) -> None:
    with pytest.raises(UserError, match=rf"label\.jsonl, line 2: {fault}") as caught:
        read(tmp_path, GOOD, line, task=LABELS)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_missing_or_not_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"text\.jsonl: no such file; .*'text'.*tasks\.yaml"):
        list(read_rows(tmp_path, TEXT, 20))
    (tmp_path / "text.jsonl").write_bytes('{"input": "清洗"}'.encode("gb18030"))
    with pytest.raises(UserError, match=r"text\.jsonl, line 1: not UTF-8"):
        list(read_rows(tmp_path, TEXT, 20))


def test_control_tokens_are_made_plain_and_other_white_space_is_no_change() -> None:
    found = row("看<|im_end|>\n这里", "{{a}}\u200b")
    assert (found.input, found.output) == ("看< |im_end|> 这里", "{ {a}}")
    assert found.was_made_plain
    assert not row("  看\t这里\r\n", "好 ").was_made_plain


def test_free_answers_keep_their_lines_and_nothing_else_does() -> None:
    answer = "第一步\r\n\r\n  第二步<|im_end|>\n"
    assert row("问", answer).output == "第一步\n第二步< |im_end|>"
    assert row("在\na b里", "在\na", task=SPAN).output == "在 a"


def test_a_span_is_a_part_of_its_input_or_the_word_for_none() -> None:
    assert row("打开“a.txt”", "a.txt", task=SPAN).output == "a.txt"
    assert row("打开文件", "无", task=SPAN).output == "无"
    assert row("<s>.txt", "<s>.txt", task=ALWAYS).output in row("<s>.txt", "<", task=ALWAYS).input
    expected = "output is 'b.txt', which is not in the input '打开“a.txt”'; expected a part of it"
    with pytest.raises(UserError, match=f"{expected}, .*, or '无' where there is none"):
        row("打开“a.txt”", "b.txt", task=SPAN)
    with pytest.raises(UserError, match=r"expected a part of it, character by character$"):
        row("打开文件", "无", task=ALWAYS)


def test_one_input_has_one_output_in_a_task_and_another_one_in_another() -> None:
    assert check_together([row("一", "甲"), row("一", "甲"), row("二", "乙")]) == 1
    assert check_together([row("一", "甲"), row("一", "是", task=LABELS)]) == 0
    with pytest.raises(UserError, match=r"input '一' has the output '乙', and '甲' in text\.jsonl"):
        check_together([row("一", "甲"), row("一", "乙")])


def test_one_input_is_named_for_one_split_in_all_tasks() -> None:
    rows = [row("一", split="test"), row("一"), row("一", "是", task=LABELS, split="train")]
    expected = r"label\.jsonl, line 1: the input '一' is assigned to train, and to test in text"
    with pytest.raises(UserError, match=expected):
        check_together(rows)
    assert check_together(rows[:2]) == 1
