"""The stage `report`: what it writes, and one line where something is missing."""

import json
from pathlib import Path

import pandas as pd
import pytest

from newsrec.assistant.report.figures import HEADS, LOWER_IS_BETTER
from newsrec.errors import UserError
from stages.assistant import baselines, evaluate, judge, report
from tests.assistant import planted
from tests.assistant.report import made_up
from tests.report.reading import Page

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that the stage reads; the working directory."""
    made_up.write_run(tmp_path, 20)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_page_summary_and_provenance_are_written(run: Path) -> None:
    report.main()
    text = (run / "reports/report.html").read_text(encoding="utf-8")
    summary = (run / "reports/summary.md").read_text(encoding="utf-8")
    (verdict,) = (rows[1:] for rows in Page(text).tables if rows[0][-1] == "tuned minus it")
    assert [row[0] for row in verdict] == list(made_up.TASKS)
    assert summary.startswith("**The tuned model is ")
    made = json.loads((run / "metrics/provenance.json").read_text())
    assert made["seeds"] == {"prepare": 42, "train": 42, "evaluate": 42}
    assert made["report"]["python"]
    assert {path.name for path in (run / "reports").iterdir()} == {"report.html", "summary.md"}


def test_what_evaluate_writes_is_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.write_tree(tmp_path, planted.rows_of(12, "t"))
    made_up.write_facts(tmp_path)
    monkeypatch.chdir(tmp_path)
    for stage in (baselines, judge, evaluate, report):
        stage.main()
    figures = json.loads((tmp_path / "metrics/evaluate.json").read_text())["tasks"]
    text = (tmp_path / "reports/report.html").read_text(encoding="utf-8")
    tables = [rows for rows in Page(text).tables if rows[0][0] == "system"]
    assert list(figures) == list(planted.TASKS)
    for rows, task in zip(tables, figures.values(), strict=True):
        shown = {row[0]: row[1:] for row in rows[1:]}
        assert set(shown) == set(task["systems"])
        for system, of_system in task["systems"].items():
            found = {
                head: cell.split()[0] for head, cell in zip(rows[0][1:], shown[system], strict=True)
            }
            for metric, figure in of_system.items():
                digits = 1 if metric == "chrf" else 3
                head = HEADS[metric] + (" ↓" if metric in LOWER_IS_BETTER else "")
                assert found[head] == f"{figure['value']:.{digits}f}", (system, metric)


MISSING = [
    *(f"metrics/{name}.json" for name in ("evaluate", "slices", "confusion", "train", "baselines")),
    *("metrics/timings/score_base.json", "plots/loss_val.tsv", "plots/loss_val_parts.tsv"),
    *("tasks.yaml", "params.yaml"),
    *("data/processed/test.parquet", "data/predictions/tuned.parquet"),
    "data/predictions/nearest.parquet",
]


def test_a_missing_file_is_one_line_and_nothing_is_written(run: Path) -> None:
    for name in MISSING:
        kept = (run / name).read_bytes()
        (run / name).unlink()
        with pytest.raises(UserError, match=name.rsplit("/")[-1]) as raised:
            report.main()
        assert "\n" not in str(raised.value)
        (run / name).write_bytes(kept)
    assert not (run / "reports").exists()


def test_figures_of_a_task_that_the_table_does_not_have_are_refused(run: Path) -> None:
    path = run / "metrics/evaluate.json"
    figures = json.loads(path.read_text())
    figures["tasks"]["other"] = figures["tasks"]["kind"]
    path.write_text(json.dumps(figures))
    with pytest.raises(UserError, match=r"figures of other, which tasks\.yaml does not have"):
        report.main()


def test_answers_to_other_rows_are_refused(run: Path) -> None:
    path = run / "data/predictions/base.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "id"] = "other"
    table.to_parquet(path)
    with pytest.raises(UserError, match="not of the test split, like 'other'"):
        report.main()
