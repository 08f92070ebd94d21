"""Long work in a process of its own: its output shown as it comes, its last lines kept."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import IO

from newsrec.running.disks import FULL
from newsrec.running.orphans import die_with_parent
from newsrec.running.places import writable_homes

__all__ = [
    "Finished",
    "die_with_parent",
    "read_tail",
    "run_group",
    "run_shown",
    "running",
    "running_with_pipes",
]

# What the project starts runs on private data and on machines without a network: nothing calls
# home, and nothing is looked up on a hub, since every model is a local folder by then.
QUIET_AND_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "WANDB_MODE": "disabled",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}

# How PyTorch and the system say it; of the CPU's memory PyTorch has no exception of its own.
OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
)

# As Python ends a traceback: `ValueError: no such layer`, `torch.OutOfMemoryError: CUDA ...`.
# A process of several puts its rank in front.
_EXCEPTION = re.compile(r"(\[rank\d+\]: )?[A-Za-z_][\w.]*(Error|Exception): \S")

_TAIL_CHARS = 20_000
_SECONDS_TO_STOP = 30


@dataclass(frozen=True)
class Finished:
    """How a process ended: its exit code (negative for a signal) and the end of its output."""

    code: int
    tail: str

    def printed(self, *signs: str) -> bool:
        """Whether the end of the output holds one of `signs`, in any case."""
        tail = self.tail.lower()
        return any(sign.lower() in tail for sign in signs)

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether it ended for want of memory: by its own word, or killed by the kernel."""
        return self.code in (-signal.SIGKILL, 128 + signal.SIGKILL) or self.printed(
            *OUT_OF_MEMORY,
            "OutOfMemoryError",
            "MemoryError",
            "bad_alloc",
            "Signal 9 (SIGKILL)",  # torchrun, of one of its processes
        )

    @property
    def ran_out_of_disk(self) -> bool:
        """Whether it ended because a disk was full."""
        return self.printed(*FULL)

    @property
    def last_line(self) -> str:
        """The last line that names an exception, else the last one that is not blank.

        A progress bar may be drawn once more behind the exception, and torchrun adds a table.
        """
        lines = [line.strip() for line in self.tail.splitlines() if line.strip()]
        exceptions = [line for line in lines if _EXCEPTION.match(line)]
        return (exceptions or lines or ["no output"])[-1]


def run_shown(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    log: Path,
    feed: Callable[[IO[bytes]], None] | None = None,
) -> Finished:
    """Run `command` to its end, showing its output and writing it to `log`.

    Args:
        command: program and arguments.
        env: added to this process's environment.
        log: overwritten with all of the output.
        feed: writes its input, in a thread; the input ends with it. What it raises ends the
            process, and is raised here.

    Returns:
        The exit code and the last part of the output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    tail = ""
    with (
        log.open("w", encoding="utf-8") as record,
        _start(command, env, subprocess.PIPE, signal.SIGKILL, feed is not None) as process,
        _fed(process, feed),
    ):
        assert process.stdout is not None
        try:
            # Pieces, not lines: a progress bar ends in \r and should move while it is looked at.
            while piece := os.read(process.stdout.fileno(), 65_536):
                text = piece.decode("utf-8", errors="replace")
                sys.stdout.write(text)
                sys.stdout.flush()
                record.write(text)
                tail = (tail + text)[-_TAIL_CHARS:]
            code = process.wait()
        except BaseException:
            process.stdout.close()  # what it prints at its end is of no use, and must not block it
            _end(process)
            raise
    return Finished(code, tail)


@contextmanager
def _fed(
    process: subprocess.Popen[bytes], feed: Callable[[IO[bytes]], None] | None
) -> Iterator[None]:
    """Have `feed` write the input of a process; raise what it raised once the process ended."""
    if feed is None:
        yield
        return
    stream, faults = process.stdin, list[BaseException]()
    assert stream is not None

    def write() -> None:
        try:
            with stream:
                feed(stream)
        except BrokenPipeError:
            pass  # the process has ended, and its output has the reason
        except BaseException as error:
            faults.append(error)
            _end(process)

    thread = Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if faults:
        raise faults[0]


@contextmanager
def running(
    command: Sequence[str | Path], env: Mapping[str, str], log: Path, group: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` beside this process until the block ends; its output goes to `log` alone.

    Args:
        command: program and arguments; terminated at the end of the block, killed if it lingers.
        env: added to this process's environment.
        log: overwritten with all of the output.
        group: of processes; 0: one of its own, which Ctrl-C in a terminal does not reach.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # Terminated, not killed, when this process ends: a server has processes of its own to stop.
    with (
        log.open("wb") as record,
        _start(command, env, record, signal.SIGTERM, group=group) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


@contextmanager
def running_with_pipes(
    command: Sequence[str | Path], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The same with input and output as pipes; what it prints as errors goes to `log`.

    Ctrl-C in a terminal does not reach it: what that ends is for this process to say.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    pipe = subprocess.PIPE
    with (
        log.open("wb") as record,
        _start(command, {}, pipe, signal.SIGKILL, True, errors=record, group=0) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def run_group(command: Sequence[str]) -> int:
    """Run `command` to its end; Ctrl-C ends it and all that it started.

    For DVC, which waits for its stage and ends none: without it the stage would go on alone.

    Returns:
        The exit code, negative for a signal.
    """
    with subprocess.Popen(command, process_group=0) as process:
        try:
            return process.wait()
        except BaseException:
            for number in (signal.SIGINT, signal.SIGKILL):
                os.killpg(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_SECONDS_TO_STOP)
                    break
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()


def read_tail(log: Path) -> str:
    """The end of a log, as much as `Finished` keeps of an output."""
    return log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARS:]


def _start(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    output: int | IO[bytes],
    orphaned: signal.Signals,
    is_fed: bool = False,
    *,
    errors: int | IO[bytes] = subprocess.STDOUT,
    group: int | None = None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.PIPE if is_fed else None,
        env={**os.environ, **QUIET_AND_OFFLINE, **writable_homes(), **env},
        stdout=output,
        stderr=errors,
        process_group=group,
        preexec_fn=partial(die_with_parent, orphaned),
    )
