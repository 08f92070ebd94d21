"""kill -9 of a stage, its worker or DVC, also while it commits: the next run ends in the same."""

import sys
from pathlib import Path

import psutil
import pytest
import yaml

from newsrec.running.dvc_stage import md5
from tests import ROOT
from tests.faults.toy import begin, contents, hold, refusal, release, wait_until_held
from tests.processes import is_gone, wait_for
from tests.trees import ENV, ran_stages, run

pytestmark = pytest.mark.slow
MOMENTS = [
    "outputs not hashed",
    "nothing in the cache",
    "one output in the cache",
    "all in the cache",
]


def kill_dvc_while_it_commits(tree: Path, moment: str, *words: str) -> None:
    """Run a stage under a DVC that is killed at a moment behind its end."""
    env = {**ENV, "PYTHONPATH": str(ROOT)}
    with psutil.Popen(
        [sys.executable, "-m", "tests.faults.stopped_dvc", moment, "repro", *words],
        cwd=tree,
        env=env,
        stdout=-3,
        stderr=-3,
    ) as process:
        wait_for((tree / "stopped").exists)
        process.kill()
    (tree / "stopped").unlink()


def assert_as_wanted(tree: Path, wanted: dict[str, bytes]) -> None:
    assert contents(tree) == wanted
    recorded = yaml.safe_load((tree / "dvc.lock").read_text())["stages"]
    for stage in recorded.values():
        for entry in (*stage["deps"], *stage["outs"]):
            assert md5(tree / entry["path"]) == entry["md5"], entry


@pytest.mark.parametrize("held", ["first", pytest.param("worker", marks=pytest.mark.faults)])
def test_a_stage_ends_with_the_dvc_that_runs_it(
    held: str, toy: Path, wanted: dict[str, bytes]
) -> None:
    hold(toy, held)
    with begin(toy, "dvc", "repro") as repro:
        process = wait_until_held(toy, held)
        repro.kill()
    wait_for(lambda: is_gone(process))
    release(toy, held)
    run(toy, "dvc", "repro")
    assert_as_wanted(toy, wanted)


@pytest.mark.faults
def test_a_stage_ends_with_dvc_though_a_shell_stays_between_them(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\nshift $(($# - 1))\n/bin/sh -c "$1; exit \\$?"\n')
    shell.chmod(0o755)
    monkeypatch.setitem(ENV, "SHELL", str(shell))
    hold(toy, "first")
    with begin(toy, "dvc", "repro") as repro:
        stage = wait_until_held(toy, "first")
        assert stage.parent().pid != repro.pid
        repro.kill()
    wait_for(lambda: is_gone(stage))


@pytest.mark.faults
@pytest.mark.parametrize("killed", ["first", "worker", "second"])
def test_the_run_behind_a_kill_ends_in_the_same_bytes(
    killed: str, toy: Path, wanted: dict[str, bytes]
) -> None:
    hold(toy, killed)
    with begin(toy, "dvc", "repro") as repro:
        wait_until_held(toy, killed).kill()
        assert repro.wait(60) != 0
    if killed == "worker":
        said = (toy.parent / "log").read_text()
        assert "first: the worker ended with exit code -9" in said
    release(toy, killed)
    run(toy, "dvc", "repro")
    assert_as_wanted(toy, wanted)


@pytest.mark.parametrize(
    "moment",
    [MOMENTS[0], *(pytest.param(moment, marks=pytest.mark.faults) for moment in MOMENTS[1:])],
)
def test_what_dvc_was_killed_while_recording_is_not_done_again(
    moment: str, toy: Path, wanted: dict[str, bytes]
) -> None:
    kill_dvc_while_it_commits(toy, moment)
    ran = (toy / "metrics/first.json").read_bytes()
    output = run(toy, "dvc", "repro")
    assert (toy / "metrics/first.json").read_bytes() == ran
    adopted = "first: had finished before" in output
    from_cache = "'first' is cached - skipping run" in output
    assert adopted != from_cache
    assert adopted or moment == "all in the cache"
    assert_as_wanted(toy, wanted)
    # Who runs it again once it is recorded wants it to run.
    run(toy, "dvc", "repro", "--force", "first")
    assert (toy / "metrics/first.json").read_bytes() != ran


@pytest.mark.faults
@pytest.mark.parametrize("changed", ["stages/first.py", "data/input", "params.yaml", "models"])
def test_what_was_made_of_something_else_is_done_again(changed: str, toy: Path) -> None:
    kill_dvc_while_it_commits(toy, MOMENTS[0])
    ran = (toy / "metrics/first.json").read_bytes()
    path = toy / changed
    match changed:
        case "params.yaml":
            values = yaml.safe_load(path.read_text())
            values["evaluate"]["seed"] += 1
            path.write_text(yaml.safe_dump(values))
        case "models":  # in place, as an editor may do
            path = toy / "models/first/part/weights"
            with path.open("r+b") as stream:
                stream.write(b"other")
        case _:
            path.write_bytes(path.read_bytes() + b"\n")
    assert "had finished before" not in run(toy, "dvc", "repro")
    assert (toy / "metrics/first.json").read_bytes() != ran


@pytest.mark.faults
def test_another_parameter_may_change_in_between(toy: Path) -> None:
    kill_dvc_while_it_commits(toy, MOMENTS[0])
    values = yaml.safe_load((toy / "params.yaml").read_text())
    values["report"]["num_mistakes"] += 1
    (toy / "params.yaml").write_text(yaml.safe_dump(values))
    assert "had finished before" in run(toy, "dvc", "repro")


def test_a_second_run_of_a_stage_is_refused(toy: Path, wanted: dict[str, bytes]) -> None:
    by_hand = (sys.executable, "-m", "stages.first")
    hold(toy, "first")
    with begin(toy, *by_hand) as stage:
        process = wait_until_held(toy, "first")
        for command in (by_hand, ("dvc", "repro")):
            said = refusal(toy, *command)
            assert f"first: another run of this stage is at work (process {process.pid})" in said
            assert "Traceback" not in said
        release(toy, "first")
        assert stage.wait(60) == 0
    # The lock of a process that was killed is nobody's.
    hold(toy, "first")
    with begin(toy, *by_hand):
        wait_until_held(toy, "first").kill()
    release(toy, "first")
    run(toy, "dvc", "repro")
    assert_as_wanted(toy, wanted)


@pytest.mark.faults
def test_a_stage_that_is_run_by_hand_outlives_its_terminal(toy: Path) -> None:
    hold(toy, "first")
    with begin(toy, "sh", "-c", f"{sys.executable} -m stages.first & wait") as terminal:
        stage = wait_until_held(toy, "first")
        terminal.kill()
    release(toy, "first")
    wait_for(lambda: is_gone(stage))
    assert (toy / "metrics/first.json").exists()


def test_of_two_dvc_repro_at_once_one_is_refused(toy: Path, wanted: dict[str, bytes]) -> None:
    hold(toy, "first")
    with begin(toy, "dvc", "repro") as repro:
        wait_until_held(toy, "first")
        assert f"(PID {repro.pid})" in refusal(toy, "dvc", "repro")
        release(toy, "first")
        assert repro.wait(60) == 0
    assert_as_wanted(toy, wanted)


def test_a_half_written_lock_is_named_and_replaced_by_one_command(
    finished_toy: Path, toy: Path, wanted: dict[str, bytes]
) -> None:
    run(toy, "dvc", "repro")
    whole = (toy / "dvc.lock").read_text()
    (toy / "dvc.lock").write_text(whole[: len(whole) // 2])
    said = refusal(toy, "newsrec", "doctor")
    assert "problem: dvc.lock: not a complete record of the last run, so DVC commands fail" in said
    cure = said.split("commands fail; ")[1].split(";")[0]
    assert cure == "cp .work/dvc.lock dvc.lock"
    run(toy, *cure.split())
    assert ran_stages(run(toy, "dvc", "repro")) == set()
    assert (toy / "dvc.lock").read_text() == whole
    assert_as_wanted(toy, wanted)


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["dvc.lock empty", "half of dvc.lock"])
@pytest.mark.parametrize("stage", ["first", "second"])
def test_a_kill_while_dvc_writes_its_lock_loses_nothing(
    moment: str, stage: str, toy: Path, wanted: dict[str, bytes]
) -> None:
    if stage == "second":
        run(toy, "dvc", "repro", "first")
    kill_dvc_while_it_commits(toy, moment)
    ran = (toy / "metrics/first.json").read_bytes()
    assert "dvc.lock" in refusal(toy, "dvc", "status")
    said = refusal(toy, "newsrec", "doctor")
    cure = said.split("commands fail; ")[1].split(";")[0]
    # Nothing was recorded before the first stage, and what is committed is of another run.
    assert cure == (
        "cp .work/dvc.lock dvc.lock" if stage == "second" else "git checkout HEAD dvc.lock"
    )
    run(toy, *cure.split())
    run(toy, "dvc", "repro")
    assert (toy / "metrics/first.json").read_bytes() == ran
    assert_as_wanted(toy, wanted)


@pytest.mark.faults
def test_a_lock_that_was_never_committed_comes_back_from_the_run_cache(
    toy: Path, wanted: dict[str, bytes]
) -> None:
    run(toy, "git", "rm", "-q", "--cached", "dvc.lock")
    run(toy, "git", "commit", "-qm", "no lock")
    run(toy, "dvc", "repro")
    whole = (toy / "dvc.lock").read_text()
    (toy / "dvc.lock").write_text("")
    (toy / ".work/dvc.lock").unlink()
    said = refusal(toy, "newsrec", "doctor")
    assert "problem: dvc.lock: empty, so DVC commands fail; rm dvc.lock; then dvc repro" in said
    run(toy, "rm", "dvc.lock")
    assert ran_stages(run(toy, "dvc", "repro")) == set()
    assert (toy / "dvc.lock").read_text() == whole
    assert_as_wanted(toy, wanted)


@pytest.mark.faults
def test_a_half_written_list_of_busy_outputs_is_named(toy: Path) -> None:
    run(toy, "dvc", "repro")
    (toy / ".dvc/tmp/rwlock").write_text('{"write": {')
    assert "rwlock" in refusal(toy, "dvc", "repro", "--force")
    said = refusal(toy, "newsrec", "doctor")
    assert "problem: .dvc/tmp/rwlock: not valid JSON" in said
    assert said.split("is running: ")[1].splitlines()[0] == "rm .dvc/tmp/rwlock"
    (toy / ".dvc/tmp/rwlock").unlink()
    run(toy, "dvc", "repro", "--force")
    assert [path.name for path in (toy / "models").iterdir()] == ["first"]
