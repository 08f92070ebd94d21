"""Long work in a process of its own."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import IO

import psutil
import pyarrow as pa
import pytest

from newsrec.errors import UserError
from newsrec.running.processes import Finished, run_shown
from tests.processes import is_gone, wait_for


def test_output_is_shown_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-c", "print('one'); import sys; sys.exit('two')"]
    finished = run_shown(command, {}, tmp_path / "log")
    assert (finished.code, finished.last_line) == (1, "two")
    assert capsys.readouterr().out == (tmp_path / "log").read_text() == "one\ntwo\n"


@pytest.mark.slow  # starts a process
def test_a_process_gets_what_it_is_fed(tmp_path: Path) -> None:
    lines = b"".join(b"%d\n" % number for number in range(100_000))  # more than a pipe holds
    code = "import sys; print(sum(map(int, sys.stdin)))"
    command = [sys.executable, "-c", code]
    finished = run_shown(command, {}, tmp_path / "log", lambda sink: sink.write(lines))
    assert (finished.code, finished.tail) == (0, f"{sum(range(100_000))}\n")


@pytest.mark.slow  # starts a process
def test_a_process_that_ends_before_it_has_read_all_says_why(tmp_path: Path) -> None:
    def feed(sink: IO[bytes]) -> None:
        with pa.ipc.new_stream(sink, pa.schema([("number", pa.int64())])) as stream:
            for _ in range(100):
                stream.write_batch(pa.record_batch({"number": range(100_000)}))

    command = [sys.executable, "-c", "import sys; sys.exit('no memory')"]
    assert run_shown(command, {}, tmp_path / "log", feed).tail == "no memory\n"


def test_a_fault_of_what_feeds_a_process_ends_it(tmp_path: Path) -> None:
    def feed(sink: IO[bytes]) -> None:
        raise UserError("a prompt is too long")

    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    started = time.monotonic()
    with pytest.raises(UserError, match="a prompt is too long"):
        run_shown(command, {}, tmp_path / "log", feed)
    assert time.monotonic() - started < 30


def test_nothing_calls_home(tmp_path: Path) -> None:
    names = ("HF_HUB_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY")
    code = f"import os; print([os.environ[name] for name in {names}])"
    assert run_shown([sys.executable, "-c", code], {}, tmp_path / "log").tail == f"{['1'] * 4}\n"


@pytest.mark.parametrize(
    ("code", "tail", "expected"),
    [
        (1, "torch.OutOfMemoryError: CUDA out of memory.", True),
        (-9, "", True),
        (137, "", True),
        (1, "ValueError: no", False),
    ],
)
def test_want_of_memory_is_reported_from_other_ends(code: int, tail: str, expected: bool) -> None:
    assert Finished(code, tail).ran_out_of_memory is expected


def test_the_work_dies_with_a_stage_that_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from newsrec.running.processes import run_shown
        code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
        run_shown([sys.executable, "-c", code], {{}}, Path({str(tmp_path / "log")!r}))
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as stage:
        assert stage.stdout is not None
        child = psutil.Process(int(stage.stdout.readline()))
        stage.kill()
        stage.wait()
        wait_for(lambda: is_gone(child), 10)
