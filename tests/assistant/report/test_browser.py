"""The page in a real browser, where one is installed."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from newsrec.assistant.report.answered import Answer
from newsrec.assistant.report.page import render
from tests.report.browser import ATTACKS, MARKS, attacked, check_inert, shown_width

pytestmark = MARKS


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(
    width: int, drawn: dict[str, Any], tmp_path: Path
) -> None:
    name = "一个没有空格也没有任何标点的很长很长的文件名称" * 4 + ".csv"
    rows = drawn["answers"]["file_name"]
    rows[0] = dataclasses.replace(rows[0], input=name, answers={"tuned": Answer("w" * 99, name)})
    assert shown_width(render(**drawn), width, tmp_path) == f"{width} px"


def test_no_script_of_the_data_runs(drawn: dict[str, Any], tmp_path: Path) -> None:
    every = " ".join(ATTACKS)
    for rows in drawn["answers"].values():
        answers = {name: Answer(every, f"{every}?") for name in rows[0].answers}
        texts = {"id": every, "input": every, "reference": every, "tags": (every,)}
        rows[0] = dataclasses.replace(rows[0], answers=answers, **texts)
    for place, attack in enumerate(ATTACKS):
        drawn["slices"][place]["slice"] = attack
    for of_label in drawn["confusion"].values():
        for found in of_label.values():
            found["labels"] = [f"{label} {every}" for label in found["labels"]]
    for name in ("stages", "timings"):
        drawn[name] = attacked(drawn[name], every)
    drawn["metrics"]["protocol"] = attacked(drawn["metrics"]["protocol"], every)
    page = render(**drawn).replace("Content-Security-Policy", "was")
    assert check_inert(page, tmp_path).elements["bdi"] > 50
