"""How long the graph takes when there is nothing to do, and a stage or a command to start.

The graph: `dvc repro` of this project with nothing to do, and `dvc status`, against the same in an
empty DVC project of as many files. A stage: importing its module, which is all that happens before
its `main`, against `python -c pass`.

Needs a finished `dvc repro`.

Run     python -m benchmarks.graph [--rounds 3]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.document import save
from benchmarks.rows import Row, limited
from benchmarks.side_by_side import Measured, run_alternately
from newsrec.errors import UserError
from newsrec.running.stage import run_program

ROOT = Path(__file__).resolve().parents[1]
STAGES = (
    "fetch_model", "fetch_mind", "preprocess", "check_engine", "train", "merge", "score",
    "baselines", "evaluate", "report",
)  # fmt: skip
GOAL, HELP_GOAL = 1.0, 0.5  # seconds: more than the rival, and in all
BOUNDS = dict.fromkeys(
    ("start of merge", "start of baselines", "start of evaluate"),
    "PyTorch, PEFT or scikit-learn, which the stage always uses",
)
BOUNDS["dvc repro"] = BOUNDS["dvc status"] = (
    "DVC's own work for each of some 400 dependencies: its parser, its locks and its objects"
)
BOUNDS["start of score"] = BOUNDS["start of check_engine"] = (
    "pandas, pydantic and DVC, 0.3 s each, which the stage always uses"
)
BOUNDS["start of fetch_model"] = (
    "PyTorch and Transformers, which build the tiny model and check every other"
)
BOUNDS["start of report"] = "matplotlib, pandas, pydantic and DVC, which the stage always uses"
PASS = "python -c pass"
_RUN = "import json, subprocess, sys, time; s = time.perf_counter(); "
_RUN += "subprocess.run(sys.argv[1:], check=True, capture_output=True); "
_RUN += "print(json.dumps({'seconds': time.perf_counter() - s}))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    python, tools = sys.executable, Path(sys.executable).parent
    dvc = tools / "dvc"
    if subprocess.run([dvc, "--cd", ROOT, "status", "-q"], check=False).returncode:
        raise UserError(f"{ROOT}: a stage is not up to date; run dvc repro, then this again")
    with tempfile.TemporaryDirectory() as folder:
        num_files = _empty_project(Path(folder), dvc)
        found = run_alternately(
            {
                "pass": timed(python, "-c", "pass"),
                "help": timed(tools / "newsrec", "--help"),
                **{
                    f"{command} {place}": timed(dvc, "--cd", where, command, "-q")
                    for command in ("repro", "status")
                    for place, where in (("here", ROOT), ("empty", folder))
                },
                **{one: timed(python, "-c", f"import stages.{one}") for one in STAGES},
            },
            options.rounds,
        )
    nothing, empty = found["pass"], f"an empty project of {num_files} files"
    rows = [
        *(
            _row(found[f"{command} here"], found[f"{command} empty"], f"dvc {command}", empty)
            for command in ("repro", "status")
        ),
        *(_row(found[one], nothing, f"start of {one}", PASS) for one in STAGES),
    ]
    seconds = found["help"].median
    rows.append(
        Row(
            "newsrec --help",
            f"{seconds:.2f} s",
            f"{PASS}: {nothing.median:.2f} s",
            seconds,
            HELP_GOAL,
            at_most=True,
            unit="s",
        )
    )
    save("graph", rows, options.rounds)


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
    (folder / "dvc.yaml").write_text("stages: {}\n")  # without which dvc repro is refused
    return len(names)


def _row(ours: Measured, rival: Measured, work: str, other: str) -> Row:
    row = Row(
        work=f"{work}: time beyond the rival's",
        ours=f"{ours.median:.2f} s",
        rival=f"{other}: {rival.median:.2f} s",
        figure=ours.median - rival.median,
        goal=GOAL,
        at_most=True,
        unit="s",
    )
    return limited(BOUNDS.get(work, ""), row)


if __name__ == "__main__":
    run_program(main)
