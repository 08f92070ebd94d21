"""How much DVC adds: the whole default run by `dvc repro`, and its stages one after the other.

Each in a copy of this project without any data, one after the other. By hand: the command of each
stage of dvc.yaml, in the order in which DVC runs them.

Run     python -m benchmarks.end_to_end [--rounds 1]      (10 minutes a round)
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro

from benchmarks.document import save
from benchmarks.rows import Row
from benchmarks.side_by_side import run_alternately
from newsrec.running.stage import run_program

ROOT = Path(__file__).resolve().parents[1]
GOAL = 1.15  # times the stages by hand, at most
WAYS = ("dvc", "by hand")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--way", choices=WAYS, help="used by the benchmark itself")
    options = parser.parse_args()
    if options.way:
        with tempfile.TemporaryDirectory() as folder:
            print("\n" + json.dumps({"seconds": run_graph(options.way, Path(folder))}))
        return
    ways = {
        way: [sys.executable, "-m", "benchmarks.end_to_end", "--way", way] for way in reversed(WAYS)
    }
    found = run_alternately(ways, options.rounds)
    ours, rival = found["dvc"].median, found["by hand"].median
    row = Row(
        work="the default run by dvc repro, from scratch",
        ours=f"{ours:.0f} s",
        rival=f"its stages by hand: {rival:.0f} s",
        figure=ours / rival,
        goal=GOAL,
        at_most=True,
    )
    save("end_to_end", [row], options.rounds)


def run_graph(way: str, folder: Path) -> float:
    """Seconds of the default run in a copy of the project in `folder`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    scripts = Path(sys.executable).parent
    dvc = scripts / "dvc"
    # dvc.yaml runs `python`: the one of this environment, as `make repro` has it.
    env = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([dvc, "config", "core.no_scm", "true"], cwd=folder, check=True)
    commands = [[str(dvc), "repro"]]
    if way == "by hand":
        # Not `dvc repro --dry`, which looks for the files that stages before would have written.
        with Repo(folder) as repo:
            lines = [stage.cmd.split() for stage in plan_repro(repo.index.graph)]
        commands = [[sys.executable, *words[1:]] for words in lines]
        for name in ("models/checked", "data/predictions/val", "reports", "metrics/timings"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    for words in commands:
        subprocess.run(words, cwd=folder, env=env, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    run_program(main)
