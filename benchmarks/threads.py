"""How much slower training is beside other work: with none, one and two busy processes.

Trains the tiny model of `models/base` on `data/processed`, as the stage `train` does, for a number
of steps: threads that sleep while they wait (`newsrec.running.threads`) against threads that wait
busily.
Needs a finished `dvc repro preprocess`, and a machine without other work.

Run     python -m benchmarks.threads [--steps 60] [--rounds 3]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.document import Row, save
from benchmarks.side_by_side import Measured, run_alternately
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.params.train import trainer_values
from newsrec.running.stage import run_program
from newsrec.training.dataset import SampleSet
from newsrec.training.precision import choose_precision

GOALS = {1: 1.3, 2: 2.5}  # times the seconds alone, by the busy processes
# On two cores two threads and one busy process get two thirds of the time that they would alone.
BOUND = (
    "a fair share of two cores beside one busy process is 1.33 ×, and a step waits for the later "
    "thread"
)
WAYS = {"asleep": {}, "busily": {"OMP_WAIT_POLICY": "ACTIVE"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", action="store_true", help="used by the benchmark itself")
    options = parser.parse_args()
    if options.way:
        print(json.dumps({"seconds": train(options.steps)}))
        return
    command = [sys.executable, "-m", "benchmarks.threads", "--way", "--steps", str(options.steps)]
    found: dict[tuple[str, int], Measured] = {}
    for num_busy in (0, 1, 2):
        for name, env in WAYS.items():
            with busy(num_busy):
                measured = run_alternately({name: command}, options.rounds, env)
            found[name, num_busy] = measured[name]
    save("threads", [_row(found, num_busy, options.steps) for num_busy in GOALS])


def train(num_steps: int) -> float:
    """Seconds of so many steps of the chosen recipe, without the start of the trainer."""
    from newsrec.training.fine_tuning import fine_tune
    from stages.train import BASE, DATA

    params = load_params(SharedParams)
    arguments = trainer_values(params.train) | {
        "max_steps": num_steps,
        "save_steps": num_steps,
        "precision": choose_precision(params.train.precision),
    }
    with tempfile.TemporaryDirectory() as work:
        target = Path(work) / "trained"
        target.mkdir()
        outcome = fine_tune(
            base=BASE,
            samples=SampleSet(DATA, "mind"),
            objective="sft",
            template=params.model.template,
            work=Path(work) / "train",
            target=target,
            **arguments,
        )
    return outcome.seconds


@contextmanager
def busy(num: int) -> Iterator[None]:
    """So many processes beside this one that never wait."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(num)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _row(found: dict[tuple[str, int], Measured], num_busy: int, num_steps: int) -> Row:
    times = {way: found[way, num_busy].median / found[way, 0].median for way in WAYS}
    ratio = GOALS[num_busy] / times["asleep"]
    return Row(
        work=f"train, {num_steps} steps, beside {num_busy} busy processes: times as long as alone",
        ours=f"{times['asleep']:.2f} × ({found['asleep', 0].median:.1f} s alone)",
        rival=f"threads that wait busily: {times['busily']:.2f} × "
        f"({found['busily', 0].median:.1f} s alone)",
        ratio=ratio,
        goal=1,
        bound=BOUND if ratio < 1 else "",
    )


if __name__ == "__main__":
    run_program(main)
