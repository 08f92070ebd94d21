"""A small model computes on one thread, and its figures are the same on any number of cores."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import torch

from newsrec.chat.examples import Example
from newsrec.models.threads import SMALL, limit_threads, one_thread, threads_environment
from newsrec.models.tiny import build_tiny

WORDS = ("cat", "dog", "cow", "hen", "sees", "likes", "ball", "bird")


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that would use two threads, as on a machine with two cores."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_only_a_small_model_is_limited(two_threads: None) -> None:
    assert threads_environment(SMALL) == {}
    assert threads_environment(SMALL - 1) == {"OMP_NUM_THREADS": "1"}
    limit_threads(SMALL)
    assert torch.get_num_threads() == 2
    limit_threads(SMALL - 1)
    assert torch.get_num_threads() == 1


def test_a_number_of_the_user_holds(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_environment(1) == {}
    limit_threads(1)
    assert torch.get_num_threads() == 2


def test_the_number_of_before_is_restored(two_threads: None) -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.slow
def test_the_tiny_model_is_the_same_with_any_number_of_threads(
    two_threads: None, tmp_path: Path
) -> None:
    draw = Random(1)  # enough numbers that PyTorch shares them out
    texts: list[Example] = [([], " ".join(draw.choices(WORDS, k=80))) for _ in range(40)]
    for name, num_threads in {"one": 1, "two": 2}.items():
        torch.set_num_threads(num_threads)
        (tmp_path / name).mkdir()
        build_tiny(
            tmp_path / name,
            texts,
            vocab_size=400,
            hidden_size=128,
            num_layers=2,
            max_length=512,
            steps=2,
            batch_size=16,
            lr=1e-2,
            seed=1,
            induction_heads=True,
        )
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.slow  # loads a model in a process of its own
def test_a_process_that_loads_a_small_model_computes_on_one_thread(tiny_model: Path) -> None:
    code = (
        "import sys, torch; from pathlib import Path; torch.set_num_threads(2); "
        "from newsrec.models.loading import load_model; load_model(Path(sys.argv[1]), 'float32'); "
        "print(torch.get_num_threads())"
    )
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    shown = subprocess.run(
        [sys.executable, "-c", code, tiny_model], env=env, capture_output=True, text=True
    )
    assert shown.stdout.split()[-1:] == ["1"], shown.stderr
