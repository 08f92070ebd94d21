"""The document of the benchmarks shows what is stored, and ways take turns."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binomtest

from benchmarks.document import DOCUMENT, PLOT, growth_plot, tables, with_results
from benchmarks.safety import audit_figures, report_row, share_of_copies_found
from benchmarks.side_by_side import run_alternately, run_once
from newsrec.errors import UserError
from newsrec.safety.corpus.synthetic import documents
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


def test_false_positives_are_of_the_worst_seed_and_not_of_its_texts_three_times() -> None:
    row = report_row([2, 5, 1], 1_000)
    bounds = binomtest(5, 1_000).proportion_ci(method="exact")
    assert row.ours == f"0.50% ({bounds.low:.2%} to {bounds.high:.2%})"
    assert "by seed: 2, 5, 1" in row.rival
    assert row.ratio == pytest.approx(4)


def test_the_audit_is_measured_on_what_the_generator_made_wrong() -> None:
    rows = pd.DataFrame({"id": list("abcd"), "label": ["x", "y", "y", "x"]})
    true_label = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y"}
    assert audit_figures(rows, true_label, ["a", "b", "c"]) == (2 / 3, 2 / 3)
    assert audit_figures(rows, true_label, []) == (0, 0)


def test_planted_near_copies_are_found() -> None:
    made = list(documents(1_500, seed=3))
    assert share_of_copies_found(made, 0.8, seed=44) >= 0.95
    assert share_of_copies_found(made, 0.999, seed=44) < 0.9
