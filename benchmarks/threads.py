"""How much slower training is beside other work: with none, one and two busy processes.

Trains the tiny model of `models/base` on `data/processed`, as the stage `train` does, for a number
of steps: the one thread that a small model has (`newsrec.models.threads`) against a thread on each
core, which wait busily, as PyTorch's do, or sleep while they wait (`newsrec.running.threads`).
Needs a finished `dvc repro preprocess`, and a machine without other work.

Run     python -m benchmarks.threads [--steps 60] [--rounds 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from benchmarks.document import save
from benchmarks.rows import Row, limited
from benchmarks.side_by_side import run_once
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.params.train import trainer_values
from newsrec.running.stage import run_program
from newsrec.training.dataset import SampleSet
from newsrec.training.precision import choose_precision

GOALS = {1: 1.3, 2: 2.5}  # times the seconds alone, by the busy processes
BOUND = (
    "with fair shares of two cores, one thread takes the time that it takes alone beside one busy "
    "process, and 1.5 × beside two"
)
_ALL_CORES = {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
WAYS = {
    "ours": {},
    "busily": {**_ALL_CORES, "OMP_WAIT_POLICY": "ACTIVE"},
    "asleep": _ALL_CORES,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", action="store_true", help="used by the benchmark itself")
    options = parser.parse_args()
    if options.way:
        print(json.dumps({"seconds": train(options.steps)}))
        return
    found = compare(options.steps, options.rounds)
    rows = [_row(found, num_busy, options.steps) for num_busy in GOALS]
    save("threads", rows, options.rounds)


def compare(num_steps: int, rounds: int) -> dict[tuple[str, int], float]:
    """Median seconds of each way beside each number of busy processes, all of them in each round.

    Raises:
        UserError: a training failed.
    """
    command = [sys.executable, "-m", "benchmarks.threads", "--way", "--steps", str(num_steps)]
    seconds: dict[tuple[str, int], list[float]] = {}
    for _ in tqdm(range(rounds), desc="rounds"):
        for num_busy in (0, *GOALS):
            for way, env in WAYS.items():
                with busy(num_busy):
                    report, _ = run_once(way, command, env)
                seconds.setdefault((way, num_busy), []).append(report["seconds"])
    return {key: statistics.median(found) for key, found in seconds.items()}


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


def _row(found: dict[tuple[str, int], float], num_busy: int, num_steps: int) -> Row:
    alone = {way: found[way, 0] for way in WAYS}
    times = {way: found[way, num_busy] / alone[way] for way in WAYS}
    row = Row(
        work=f"train, {num_steps} steps, busy processes beside it: {num_busy}; time relative to "
        "that alone",
        ours=f"{times['ours']:.2f} × ({alone['ours']:.1f} s alone)",
        rival=f"a thread on each core, waiting busily: {times['busily']:.2f} × "
        f"({alone['busily']:.1f} s alone), asleep: {times['asleep']:.2f} × "
        f"({alone['asleep']:.1f} s alone)",
        figure=times["ours"],
        goal=GOALS[num_busy],
        at_most=True,
    )
    return limited(BOUND, row)


if __name__ == "__main__":
    run_program(main)
