"""The document of the benchmarks shows what is stored, and ways take turns."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import submission
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


def test_the_host_work_of_a_submission_is_measured_on_a_part_of_it(
    tiny_model: Path, tmp_path: Path
) -> None:
    share = 5 / submission.NUM_IMPRESSIONS
    row = submission.measure(share, tmp_path, tiny_model, num_news=50)
    assert row.work.startswith("2,370,727 impressions, 88 million prompts; from 0.0%")
    assert row.ratio > 0
    assert (tmp_path / "prediction.zip").is_file()


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
