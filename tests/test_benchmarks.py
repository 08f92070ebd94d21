"""The document of the benchmarks shows what is stored, and ways take turns."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.document import DOCUMENT, PLOT, growth_plot, tables, with_results
from benchmarks.side_by_side import run_alternately, run_once
from newsrec.errors import UserError
from tests import ROOT


def test_the_document_shows_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_results(text) == text
    assert PLOT.read_text(encoding="utf-8") == growth_plot() + "\n"


def test_a_goal_that_was_missed_has_what_bounds_it_in_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = {"work": "w", "ours": "1 s", "rival": "other: 2 s", "goal": 3.0, "bound": "the disk"}
    result = {
        "date": "2026-01-01",
        "machine": "m",
        "rows": [row | {"ratio": 2.0}, row | {"ratio": 4.0}],
        "growth": {"line": [[10.0, 1.0, 5.0], [100.0, 10.0, 5.0]]},
    }
    Path("benchmarks/results").mkdir(parents=True)
    Path("benchmarks/results/one.json").write_text(json.dumps(result))
    text = tables()
    assert "| 2 × | 3 × | the disk |" in text
    assert "| 4 × | 3 × | yes |" in text
    assert "| one | line | 10 to 100 | 1.00 | 0.00 |" in text


def test_ways_take_turns(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import json, sys; open(sys.argv[1], 'a').write(sys.argv[2]); print('noise')"
    code += "; print(json.dumps({'seconds': float(sys.argv[3])}))"
    ways = {
        name: [sys.executable, "-c", code, log, name, seconds]
        for name, seconds in (("a", "1"), ("b", "2"))
    }
    found = run_alternately(ways, 2)
    assert log.read_text() == "abab"
    assert (found["a"].median, found["b"].median) == (1, 2)
    assert found["a"].peak_bytes > 1e6


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('no time')", "print('[1]')"])
def test_a_way_without_a_time_is_reported(code: str) -> None:
    with pytest.raises(UserError, match=r"a way: exit code \d without a line of seconds"):
        run_once("a way", [sys.executable, "-c", code])
