"""What `newsrec serve` reports before anything is started: one line each."""

import socket
import sys
from pathlib import Path

import pytest

from newsrec.engines.serving import serve
from newsrec.engines.vllm_engine import PYTHON_VARIABLE
from newsrec.errors import UserError
from tests.engines.conftest import VLLM
from tests.engines.test_api_server import free_port


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"models/merged: no such folder; .*dvc repro merge"):
        serve(VLLM, Path("models/merged"), free_port())


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text('{"base_model_name_or_path": "base"}')
    with pytest.raises(UserError, match="adapter: holds an adapter and no model"):
        serve(VLLM, Path("adapter"), free_port())


def test_vllms_environment_is_missing(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, "none/bin/python")
    with pytest.raises(UserError, match=r"no such file; .* vLLM's environment; .*make -C"):
        serve(VLLM, tiny_model, free_port())


def test_the_port_is_in_use(tiny_model: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} .* is in use; .* another with --port"):
            serve(VLLM, tiny_model, port)


@pytest.mark.slow  # starts a process
def test_vllm_ends_at_once(tiny_model: Path) -> None:
    # This environment has no vLLM.
    with pytest.raises(UserError, match=r"vLLM's server ended with exit code 1: .*vllm.*\(log: "):
        serve(VLLM, tiny_model, free_port())
