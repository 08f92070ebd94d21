"""A model in a process of its own: it answers as an engine does, and its troubles are one line."""

import os
import signal
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from newsrec.chat.messages import user_turn
from newsrec.engines.model_process import ModelProcess, PromptTooLongError, run_model
from newsrec.engines.settings import TransformersSettings
from newsrec.errors import UserError
from tests import ROOT
from tests.engines.test_serving import offline
from tests.processes import children

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SETTINGS = TransformersSettings(dtype="float32", batch_size=1, device="cpu")


@pytest.fixture(autouse=True)
def _this_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # Tests that run in the background of a shell ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def kept(model: Path, work: Path) -> AbstractContextManager[ModelProcess]:
    return run_model(model, SETTINGS, work / "log", max_tokens=5, max_prompt_tokens=60)


def answer_for_ever(model: ModelProcess) -> None:
    while True:
        model.answer(user_turn("another"))


def test_it_answers_one_chat_after_the_other_and_goes_on_behind_what_did_not_fit(
    tiny_model: Path, tmp_path: Path
) -> None:
    with kept(tiny_model, tmp_path) as model:
        model.wait_until_loaded()
        for text in ("word", "任务\n输入: 问题", "word"):
            found = model.answer(user_turn(text))
            assert found.text == offline(tiny_model, text, 5, tmp_path / "work").strip()
            assert found.seconds > 0
        with pytest.raises(PromptTooLongError, match=r"has \d+ tokens, and .* leaves 60"):
            model.answer(user_turn("word " * 60))
        # Ctrl-C while it answers: what it answers then is not taken for the next one's.
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            answer_for_ever(model)
        expected = offline(tiny_model, "word", 5, tmp_path / "work").strip()
        assert model.answer(user_turn("word")).text == expected
        (process,) = children(psutil.Process(), "model_process")
        process.kill()
        with pytest.raises(UserError, match=r"its process ran out of memory.*log: "):
            model.answer(user_turn("word"))
    assert not process.is_running()


def test_a_model_that_cannot_be_loaded_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in tiny_model.iterdir():
        content = path.read_bytes()
        (broken / path.name).write_bytes(content[:100] if "safetensors" in path.name else content)
    with (
        kept(broken, tmp_path) as model,
        pytest.raises(UserError, match=r"model\.safetensors"),
    ):
        model.wait_until_loaded()
