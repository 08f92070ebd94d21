"""What a user is told when vLLM cannot do its work."""

from pathlib import Path
from typing import Any

import pytest

from newsrec.engines import vllm
from newsrec.engines.request import AnswerTokens
from newsrec.errors import UserError

SETTINGS: dict[str, Any] = {
    "dtype": "auto",
    "max_model_len": 128,
    "max_answer_tokens": 1,
    "gpu_memory_utilization": 0.5,
    "cpu_kv_cache_gib": 1,
    "enforce_eager": True,
    "batch_size": 10,
    "seed": 1,
}


def score(work: Path) -> None:
    model, prompts, answers = work / "model", work / "prompts", work / "answers"
    vllm.score(model, prompts, answers, AnswerTokens(1, 2), work=work, **SETTINGS)


def stand_in(work: Path, body: str) -> Path:
    """A Python of the vLLM environment whose vLLM fails in a known way."""
    program = work / "python"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


def test_a_missing_environment_is_told_with_the_command_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(vllm.PYTHON_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(UserError, match="make env"):
        score(tmp_path)


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
            "free the GPU of other processes",
        ),
        (
            "echo 'ValueError: To serve at least one request with the models max seq len (40960), "
            "1 GiB KV cache is needed. Try decreasing max_model_len.'; exit 1",
            "no room for one prompt; raise score.cpu_kv_cache_gib",
        ),
        ("echo 'ValueError: odd'; exit 3", "exit code 3: ValueError: odd"),
    ],
)
def test_a_crash_is_one_line_with_the_knob_and_the_log(
    body: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(vllm.PYTHON_VARIABLE, str(stand_in(tmp_path, body)))
    with pytest.raises(UserError) as caught:
        score(tmp_path)
    assert words in str(caught.value)
    assert str(tmp_path / "vllm.log") in str(caught.value)
