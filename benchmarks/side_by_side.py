"""Ways to do the same work, run alternately, each in a process of its own.

A benchmark names its ways as commands. Each command does the work once and ends its output with a
line of JSON that has `seconds`, the time of the work without the start of Python. What other
programs do to the machine meanwhile, they do to every way alike.
"""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.running.processes import QUIET_AND_OFFLINE


@dataclass(frozen=True)
class Measured:
    """One way over all rounds: seconds of the work, and the largest memory of its process."""

    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def run_alternately(
    ways: Mapping[str, Sequence[str | Path]], rounds: int, env: Mapping[str, str] | None = None
) -> dict[str, Measured]:
    """Run every way once a round, in the same order each time.

    Args:
        ways: name to command, whose last line of output is JSON with `seconds`.
        rounds: how often; medians are robust from 3 on.
        env: added to the environment of every way.

    Raises:
        UserError: a way failed, or reported no time.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    peaks = dict.fromkeys(ways, 0)
    for _ in tqdm(range(rounds), desc="rounds"):
        for name, command in ways.items():
            report, peak = run_once(name, command, env)
            seconds[name].append(report["seconds"])
            peaks[name] = max(peaks[name], peak)
    return {name: Measured(seconds[name], peaks[name]) for name in ways}


def run_once(
    name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], int]:
    """What one way reported, and the most memory that its process held, in bytes.

    Raises:
        UserError: it failed, or reported no time.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            words,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **QUIET_AND_OFFLINE, **(env or {})},
        )
        # Not `wait`, which does not return what the process used.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    try:
        report = json.loads(text.rstrip().rpartition("\n")[2])
    except ValueError:
        report = None
    if process.returncode or not isinstance(report, dict) or "seconds" not in report:
        raise UserError(
            f"{name}: exit code {process.returncode} without a line of seconds; ran {words}:\n"
            f"{text[-2000:]}"
        )
    return report, usage.ru_maxrss * 1024
