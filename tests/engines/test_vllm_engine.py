"""What is reported when vLLM cannot do its work, and where its Python is."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from newsrec.engines import vllm_engine
from newsrec.engines.parts import Parts
from newsrec.engines.request import FewPrompts, Request
from newsrec.engines.settings import VllmSettings
from newsrec.engines.vllm_worker import _bar
from newsrec.errors import UserError
from newsrec.running import environments
from newsrec.running.places import is_plain
from tests.weights import write_weights

SETTINGS = VllmSettings(
    dtype="auto",
    max_model_len=128,
    gpu_memory_utilization=0.5,
    cpu_kv_cache_gib=1,
    enforce_eager=True,
    batch_size=10,
    seed=1,
)

PROMPTS = FewPrompts([[1, 2], [3]])


def answer(
    work: Path,
    answers: tuple[int, ...] = (1, 2),
    settings: VllmSettings = SETTINGS,
    prompts: FewPrompts = PROMPTS,
) -> None:
    request = Request(prompts, answers, max_tokens=1)
    write_weights(work / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parts, "join", lambda *_: None)  # a stand-in for vLLM answers nothing
        vllm_engine.answer(settings, work / "model", request, work / "answers", work)


def stand_in(work: Path, body: str) -> Path:
    """A Python of the vLLM environment whose vLLM fails in a known way."""
    program = work / "python"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the checkout `tmp_path`, as `dvc exp run --temp` makes it; the current folder."""
    copy = tmp_path / ".dvc/tmp/exps/standalone/tmpa1b2"
    for folder in (tmp_path, copy):
        (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setattr(environments, "_ROOT", copy)
    monkeypatch.delenv(vllm_engine.PYTHON_VARIABLE, raising=False)
    return copy


def make_environment(folder: Path) -> Path:
    python = folder / ".venv-vllm/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    return python


@pytest.mark.usefixtures("copy")
def test_vllms_environment_is_beside_this_one_or_where_make_env_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "other/.venv"))
    # Not in the copy, which has none.
    assert vllm_engine.vllm_python() == tmp_path / ".venv-vllm/bin/python"
    with pytest.raises(UserError, match=f"make -C {tmp_path} env"):
        answer(tmp_path)
    made = make_environment(tmp_path)
    assert vllm_engine.vllm_python() == made
    beside = make_environment(tmp_path / "other")
    assert vllm_engine.vllm_python() == beside


@pytest.mark.usefixtures("copy")
def test_vllms_environment_is_where_the_variable_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_environment(tmp_path)
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, "/opt/vllm/bin/python")
    assert vllm_engine.vllm_python() == Path("/opt/vllm/bin/python")
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, "own/bin/python")
    assert vllm_engine.vllm_python() == tmp_path / "own/bin/python"


@pytest.mark.parametrize("name", ["two words", "a[1]", "q'uote", "c:olon"])
def test_vllm_sees_no_path_that_it_misreads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / name
    (odd / "model").mkdir(parents=True)
    (odd / ".venv-vllm/bin").mkdir(parents=True)
    seen = tmp_path / "seen"
    body = (
        f'echo "$0" > {seen}; echo "$VLLM_CACHE_ROOT" >> {seen}; touch "$VLLM_CACHE_ROOT/cached"\n'
        f'for request; do :; done; grep -o \'"model": "[^"]*"\' "$request" >> {seen}\n'
    )
    program = stand_in(odd / ".venv-vllm/bin", body)
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, str(program))
    monkeypatch.setenv("XDG_CACHE_HOME", str(odd / "cache"))
    monkeypatch.delenv("VLLM_CACHE_ROOT", raising=False)
    answer(odd)
    python, cache, model = seen.read_text().splitlines()
    for path in (python, cache, model.split('"')[3]):
        assert is_plain(Path(path)), path
    assert python.endswith("/bin/python")
    assert (odd / "cache/vllm/cached").exists()


def variable_of_vllm(
    name: str, work: Path, patch: pytest.MonkeyPatch, settings: VllmSettings = SETTINGS
) -> str:
    """The value of an environment variable in vLLM's process, where the user has not set it."""
    patch.delenv(name, raising=False)
    patch.setenv(vllm_engine.PYTHON_VARIABLE, str(stand_in(work, f'echo "${name}" > {work}/seen')))
    answer(work, settings=settings)
    return (work / "seen").read_text().strip()


def test_a_small_model_is_scored_on_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert variable_of_vllm("OMP_NUM_THREADS", tmp_path, monkeypatch) == "1"


@pytest.mark.parametrize(("enforce_eager", "value"), [(True, "1"), (False, "")])
def test_nothing_is_compiled_with_enforce_eager(
    enforce_eager: bool, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SETTINGS, enforce_eager=enforce_eager)
    assert variable_of_vllm("TORCH_COMPILE_DISABLE", tmp_path, monkeypatch, settings) == value


def test_vllm_loads_while_the_first_batch_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"

    class SlowPrompts(FewPrompts):
        def token_ids(self) -> Iterator[pa.LargeListArray]:
            for _ in range(1_000):
                if started.exists():
                    break
                time.sleep(0.01)
            assert started.exists()
            yield from super().token_ids()

    program = stand_in(tmp_path, f"touch {started}; cat > {tmp_path}/stream")
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, str(program))
    answer(tmp_path, prompts=SlowPrompts(PROMPTS.ids))
    with pa.ipc.open_stream(tmp_path / "stream") as stream:
        assert stream.read_all()["token_ids"].to_pylist() == PROMPTS.ids


def test_vllm_is_not_started_where_there_is_nothing_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in(tmp_path, f"touch {tmp_path}/started")
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, str(program))
    answer(tmp_path, prompts=FewPrompts())
    assert not (tmp_path / "started").exists()


def test_a_missing_environment_is_reported_with_the_command_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"make -C \S+ env"):
        answer(tmp_path)


@pytest.mark.parametrize("answers", [(), (7,), (5, 4, 3, 2, 1)])
def test_the_worker_is_asked_for_every_answer_in_their_order(
    answers: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its last argument is the request.
    body = f'for request; do :; done; cp "$request" {tmp_path / "seen.json"}'
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, str(stand_in(tmp_path, body)))
    answer(tmp_path, answers)
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert (seen["answers"], seen["max_tokens"]) == (list(answers), 1)
    # All that vLLM itself is given, by its own names.
    assert seen["engine"] == {
        "dtype": "auto",
        "max_model_len": 128,
        "gpu_memory_utilization": 0.5,
        "enforce_eager": True,
        "seed": 1,
    }


def test_the_progress_of_a_batch_is_that_of_all_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f'cat > {tmp_path / "stream"}; for request; do :; done; cp "$request" {tmp_path}/seen'
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, str(stand_in(tmp_path, body)))
    answer(tmp_path, settings=replace(SETTINGS, batch_size=1))
    with pa.ipc.open_stream(tmp_path / "stream") as stream:
        starts = [stream.read_next_batch_with_custom_metadata()[1][b"start"] for _ in range(2)]
    num_prompts = json.loads((tmp_path / "seen").read_text())["num_prompts"]
    bars = [_bar(int(start), num_prompts, total=1, desc="Processed prompts") for start in starts]
    assert [(bar.n, bar.total) for bar in bars] == [(0, 2), (1, 2)]
    for bar in bars:
        bar.close()
    given = iter([1])
    assert _bar(0, 2, given, desc="Rendering prompts") is given


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "echo 'torch.OutOfMemoryError: CUDA out of memory.'; exit 1",
            "lower, in this order: score.gpu_memory_utilization",
        ),
        ("kill -9 $$", "ran out of memory"),
        (
            "echo 'ValueError: Free memory on device (1 GiB) is less than desired'; exit 1",
            "end other processes on the GPU",
        ),
        (
            "echo 'ValueError: To serve at least one request with the models max seq len (40960), "
            "1 GiB KV cache is needed. Try decreasing max_model_len.'; exit 1",
            "cache is too small for one prompt; raise score.cpu_kv_cache_gib",
        ),
        ("echo 'ValueError: odd'; exit 3", "exit code 3: ValueError: odd"),
    ],
)
def test_a_crash_is_one_line_with_the_knob_and_the_log(
    body: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(vllm_engine.PYTHON_VARIABLE, str(stand_in(tmp_path, body)))
    with pytest.raises(UserError) as caught:
        answer(tmp_path)
    assert words in str(caught.value)
    assert str(tmp_path / "vllm.log") in str(caught.value)
