"""Ctrl-C ends every program with one line and exit code 130, and nothing of it goes on."""

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from newsrec.errors import UserError
from newsrec.running import interrupts
from newsrec.running.stage import report_user_error
from tests import ROOT
from tests.processes import is_gone, wait_for

HOOK = "from newsrec.running.interrupts import quit_at_interrupt\nquit_at_interrupt()\n"
# Prints its id when it has begun, as a trainer or a server would be at work.
CHILD = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


def interrupted(tmp_path: Path, body: str) -> tuple[int, str, int]:
    """Exit code and errors of `python -m program.work` after Ctrl-C, and the number it printed."""
    (tmp_path / "program").mkdir()
    (tmp_path / "program/__init__.py").write_text(HOOK)
    (tmp_path / "program/work.py").write_text(textwrap.dedent(body))
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with subprocess.Popen(
        [sys.executable, "-m", "program.work"],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a shell ignore Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    return process.returncode, errors, number


def assert_gone(child: int) -> None:
    with suppress(psutil.NoSuchProcess):  # gone already
        process = psutil.Process(child)
        wait_for(lambda: is_gone(process), 10)


@pytest.mark.slow  # starts a process
def test_while_a_program_imports(tmp_path: Path) -> None:
    # What is imported may swallow an exception.
    body = """
        import time
        print(1, flush=True)
        try:
            time.sleep(60)
        except BaseException:
            time.sleep(60)
    """
    assert interrupted(tmp_path, body)[:2] == (130, "work: interrupted\n")


@pytest.mark.slow  # starts processes
def test_while_a_worker_is_at_work(tmp_path: Path) -> None:
    body = f"""
        import sys
        from pathlib import Path
        from newsrec.running.stage import run_stage
        from newsrec.running.processes import run_shown
        def main():
            run_shown([sys.executable, "-c", {CHILD!r}], {{}}, Path("log"))
        run_stage(main)
    """
    code, errors, child = interrupted(tmp_path, body)
    assert (code, errors) == (130, "work: interrupted\n")
    assert_gone(child)


@pytest.mark.slow  # starts DVC
def test_while_dvc_runs_a_stage_for_a_benchmark(tmp_path: Path) -> None:
    # As DVC does: it lets Ctrl-C pass and waits for its stage, whose id this prints.
    dvc = "import signal, subprocess, sys; "
    dvc += f"child = subprocess.Popen([sys.executable, '-c', {CHILD!r}]); "
    dvc += "signal.signal(signal.SIGINT, signal.SIG_IGN); child.wait()"
    body = f"""
        import sys
        from newsrec.running.stage import run_stage
        from newsrec.running.processes import run_group
        def main():
            run_group([sys.executable, "-c", {dvc!r}])
        run_stage(main)
    """
    code, errors, child = interrupted(tmp_path, body)
    assert code == 130
    assert errors.endswith("work: interrupted\n")
    assert_gone(child)


@pytest.mark.slow  # starts a process
def test_in_a_place_that_swallows_it(tmp_path: Path) -> None:
    body = """
        import time
        from newsrec.running.stage import run_stage
        class Swallowing:
            def __del__(self):
                print(1, flush=True)
                time.sleep(60)
        def main():
            Swallowing()
            time.sleep(60)
        run_stage(main)
    """
    assert interrupted(tmp_path, body)[:2] == (130, "work: interrupted\n")


@pytest.mark.parametrize("wrapped", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_under_what_others_make_of_it(
    wrapped: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise wrapped from error

    with pytest.raises(SystemExit) as caught, report_user_error("name"):
        work()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "name: interrupted\n"


def test_another_fault_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), report_user_error("name"):
        print(1 / 0)
    with pytest.raises(SystemExit, match="7"), report_user_error("name"):
        sys.exit(7)


def test_what_another_destructor_raises_is_shown_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "__unraisablehook__", shown.append)
    fault = SimpleNamespace(exc_type=ValueError)
    interrupts._interrupt_again(fault)  # type: ignore[arg-type]
    assert shown == [fault]


def test_every_program_of_the_project_ends_so() -> None:
    for folder in ("newsrec", "stages", "benchmarks"):
        first = (ROOT / folder / "__init__.py").read_text().split("\n\n", 1)[1]
        if folder == "stages":
            first = first.replace("from newsrec.running.orphans import die_with_dvc\n", "", 1)
            first = first.replace("die_with_dvc()\n", "", 1)
        if folder == "newsrec":
            for module, name in (("garbage", "collect_rarely"), ("threads", "prepare_threads")):
                first = first.replace(f"from newsrec.running.{module} import {name}\n", "", 1)
                first = first.replace(f"{name}()\n", "", 1)
        assert first == HOOK.replace("\nquit", "\n\nquit"), folder
        if folder != "newsrec":
            for path in (ROOT / folder).glob("*.py"):
                text = path.read_text(encoding="utf-8")
                # A worker of another environment has no newsrec.
                if "__main__" in text and not path.name.endswith("_worker.py"):
                    call = "run_stage(main)" if folder == "stages" else "run_program(main)"
                    assert text.endswith(f'if __name__ == "__main__":\n    {call}\n'), path


def test_a_mistake_is_one_line_without_what_commands_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"), report_user_error("name"):
        raise UserError("said:\n\x1b[2J\x07 café \u202eabc")
    assert capsys.readouterr().err == "name: said: \ufffd[2J\ufffd café \ufffdabc\n"
