"""The document of the benchmarks shows what is stored, and ways take turns."""

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import binomtest

from benchmarks.document import DOCUMENT, PLOT, growth_plot, tables, with_results
from benchmarks.rows import GPU_ROWS, Row, limited
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


def stored(
    name: str, growth: Sequence[list[float]] = (), rounds: int | None = 3, **row: Any
) -> None:
    """A result with one row in benchmarks/results of the current folder."""
    given = {"work": "w", "ours": "1 s", "rival": "other: 2 s", "figure": 2.0, "goal": 3.0} | row
    result = {
        "date": "2026-01-01",
        "machine": "m",
        "rounds": rounds,
        "rows": [given],
        "growth": {"line": list(growth)} if growth else {},
    }
    Path("benchmarks/results").mkdir(parents=True, exist_ok=True)
    Path(f"benchmarks/results/{name}.json").write_text(json.dumps(result))


def test_the_goal_of_a_row_is_shown_as_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored("a", bound="the disk")
    stored("b", figure=4.0)
    stored("c", figure=1.0035, goal=1.15, at_most=True)
    stored("d", figure=0.191, goal=0.5, at_most=True, unit="s")
    stored("e", figure=1100, goal=1024, at_most=True, unit="MiB", rounds=None)
    text = tables()
    assert "| 2 × | at least 3 × | no: the disk | 3 |" in text
    assert "| 4 × | at least 3 × | yes | 3 |" in text
    assert "| 1.004 × | at most 1.15 × | yes | 3 |" in text
    assert "| 0.191 s | at most 0.5 s | yes | 3 |" in text
    assert "| 1,100 MiB | at most 1,024 MiB | no: not examined yet | not recorded |" in text


def test_quality_has_a_table_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stored("fast")
    stored("good", figure=0.93, unit="", goal=0.9, quality=True)
    speed, quality = tables().split("## Quality")
    assert ("| fast |" in speed, "| fast |" in quality) == (True, False)
    assert ("| good |" in speed, "| good |" in quality) == (False, True)


def test_goals_of_a_gpu_are_shown_before_one_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = tables()
    assert text.count("| gpu |") == len(GPU_ROWS) == text.count("| not measured |  |  |")
    assert "|  | at least 45 % | not measured |" in text
    stored("gpu")
    text = tables()
    assert text.count("| gpu |") == 1
    assert "not measured" not in text


def test_growth_has_the_exponents_of_all_sizes_and_of_the_last_decade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    points = [[10.0, 1.0, 5.0], [100.0, 1.0, 5.0], [1001.0, 10.01, 50.05]]
    stored("one", points)
    assert "| one | line | 10 to 1,001 | 0.50 | 1.00 | 0.50 | 1.00 |" in tables()


def test_what_bounds_a_goal_is_kept_by_a_row_that_misses_it_alone() -> None:
    missed = Row("w", "1 s", "", 2.0, goal=1, at_most=True)
    assert limited("the disk", missed).bound == "the disk"
    assert limited("the disk", replace(missed, figure=0.5)).bound == ""


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
    assert row.figure == pytest.approx(0.5)
    assert row.reached


def test_the_audit_is_measured_on_what_the_generator_made_wrong() -> None:
    rows = pd.DataFrame({"id": list("abcd"), "label": ["x", "y", "y", "x"]})
    true_label = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y"}
    assert audit_figures(rows, true_label, ["a", "b", "c"]) == (2 / 3, 2 / 3)
    assert audit_figures(rows, true_label, []) == (0, 0)


@pytest.mark.slow
def test_planted_near_copies_are_found() -> None:
    made = list(documents(1_500, seed=3))
    assert share_of_copies_found(made, 0.8, seed=44) >= 0.95
    assert share_of_copies_found(made, 0.999, seed=44) < 0.9


MODULES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))
IN_VLLMS_ENVIRONMENT = {"vllm_timed_worker"}


@pytest.mark.parametrize("name", sorted({*MODULES} - IN_VLLMS_ENVIRONMENT))
def test_a_benchmark_can_be_imported(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__


def make_bench(folder: Path, names: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """`make bench` with a program in place of its own that fails for `two` and lists the rest."""
    log, program = folder / "log", folder / "run.sh"
    program.write_text(f'echo "$*" >> "{log}"; [ "$3" != benchmarks.two ]\n')
    given = (f"RUN=bash {program}", f"BENCH={names}")
    old = [word for one in ("env", ".venv-mongodb/.ready") for word in ("--old-file", one)]
    command = ["make", *old, "bench", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done, log.read_text().splitlines()


def test_a_benchmark_that_fails_is_named_at_the_end(tmp_path: Path) -> None:
    done, ran = make_bench(tmp_path, "one two three")
    assert ran == [f"python -m benchmarks.{name}" for name in ("one", "two", "three")]
    assert done.returncode != 0
    assert done.stderr.startswith("failed: two\n")


def test_a_benchmark_has_what_it_needs_before_it_runs(tmp_path: Path) -> None:
    done, ran = make_bench(tmp_path, "threads graph")
    assert done.returncode == 0
    assert ran == [
        "dvc repro fetch_model preprocess",
        "python -m benchmarks.threads",
        "dvc repro",
        "python -m benchmarks.graph",
    ]
    shown = subprocess.check_output(["make", "--dry-run", "bench"], cwd=ROOT, text=True)
    needed = shown[: shown.index("failed=")]
    assert all(f" {folder}/.ready" in needed for folder in (".venv", ".venv-vllm", ".venv-mongodb"))
