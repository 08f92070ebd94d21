"""How long the graph takes when there is nothing to do, and a stage or a command to start.

The graph: `dvc status` of this project, which `dvc repro` runs first and where nothing changed runs
alone, against the same in an empty DVC project of as many files. A stage: importing its module,
which is all that happens before its `main`, against `python -c pass`.

Run     python -m benchmarks.graph [--rounds 3]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.document import Row, save
from benchmarks.side_by_side import Measured, run_alternately
from newsrec.running.stage import run_program

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("preprocess", "check_engine", "train", "merge", "score", "baselines", "evaluate")
# Seconds over the rival; as ratios, the goal over what was reached.
GOAL, HELP_GOAL = 1.0, 0.5
BOUNDS = dict.fromkeys(
    ("start of merge", "start of baselines", "start of evaluate"),
    "PyTorch, PEFT or scikit-learn, which the stage always uses",
)
BOUNDS["dvc status"] = "DVC's YAML parser: dvc.yaml, dvc.lock, and params.yaml once a stage"
BOUNDS["start of score"] = "pandas, pydantic and DVC, 0.3 s each, which the stage always uses"
_RUN = "import json, subprocess, sys, time; s = time.perf_counter(); "
_RUN += "subprocess.run(sys.argv[1:], check=True, capture_output=True); "
_RUN += "print(json.dumps({'seconds': time.perf_counter() - s}))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    python, tools = sys.executable, Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        num_files = _empty_project(Path(folder), tools / "dvc")
        found = run_alternately(
            {
                "pass": timed(python, "-c", "pass"),
                "help": timed(tools / "newsrec", "--help"),
                "dvc": timed(tools / "dvc", "--cd", ROOT, "status", "-q"),
                "empty": timed(tools / "dvc", "--cd", folder, "status", "-q"),
                **{one: timed(python, "-c", f"import stages.{one}") for one in STAGES},
            },
            options.rounds,
        )
    rows = [
        _row(found["dvc"], found["empty"], "dvc status", f"a project of {num_files} files, empty"),
        *(
            _row(found[one], found["pass"], f"start of {one}", "a Python that does nothing")
            for one in STAGES
        ),
    ]
    seconds = found["help"].median
    rows.append(
        Row("newsrec --help", f"{seconds:.2f} s", f"at most {HELP_GOAL} s", HELP_GOAL / seconds, 1)
    )
    save("graph", rows)


def timed(*command: str | Path) -> list[str | Path]:
    """A way that runs a command and reports its seconds."""
    return [sys.executable, "-c", _RUN, *command]


def _empty_project(folder: Path, dvc: Path) -> int:
    """A DVC project without stages, of the files that Git has of this one; returns their number."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    names = [
        name for name in listed.stdout.splitlines() if not name.endswith(("dvc.yaml", ".lock"))
    ]
    for name in names:
        if (ROOT / name).is_file() and not name.startswith(".dvc/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    subprocess.run([dvc, "init", "--no-scm", "-q"], cwd=folder, check=True)
    return len(names)


def _row(ours: Measured, rival: Measured, work: str, other: str) -> Row:
    over = ours.median - rival.median
    return Row(
        work=f"{work}: at most {GOAL:g} s over the rival",
        ours=f"{ours.median:.2f} s",
        rival=f"{other}: {rival.median:.2f} s",
        ratio=GOAL / max(over, 0.01),
        goal=1,
        bound="" if over <= GOAL else BOUNDS.get(work, "not examined yet"),
    )


if __name__ == "__main__":
    run_program(main)
