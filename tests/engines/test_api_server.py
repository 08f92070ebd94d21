"""A server beside a block of code: found once it answers, ended with the block, reported if not."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import psutil
import pytest

from newsrec.engines.api_server import llamafactory_server
from newsrec.errors import UserError
from tests.processes import wait_for
from tests.weights import write_weights

# Stands in for llamafactory-cli: loads for a moment, then lists the model of API_MODEL_NAME.
SERVER = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        names = ("API_KEY", "API_VERBOSE", "HF_HUB_OFFLINE", "OMP_NUM_THREADS")
        env = {name: os.environ[name] for name in names}
        models = [{"id": os.environ["API_MODEL_NAME"], "argv": sys.argv[1:], "env": env}]
        text = json.dumps({"data": models}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

time.sleep(0.3)
HTTPServer((os.environ["API_HOST"], int(os.environ["API_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python whose neighbour `llamafactory-cli` is a stand-in."""
    return stand_in(tmp_path, monkeypatch, SERVER)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    program = folder / "llamafactory-cli"
    program.write_text(f"#!{sys.executable}\n{body}")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's folder, of which the size alone is read here."""
    monkeypatch.chdir(tmp_path)
    write_weights(Path("a/model"))


def serve(work: Path, port: int, timeout: float = 20):
    return llamafactory_server(Path("a/model"), "qwen3", port, work, timeout, dtype="auto")


@pytest.mark.slow
def test_it_answers_within_the_block_and_is_gone_after_it(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "of something else")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    port = free_port()
    with serve(tmp_path, port) as url:
        assert url == f"http://127.0.0.1:{port}/v1"
        served = httpx.get(f"{url}/models", trust_env=False).json()["data"][0]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/models", trust_env=False)
    assert served["id"] == "a/model"
    expected = {"API_KEY": "", "API_VERBOSE": "0", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    assert served["env"] == expected
    assert served["argv"][:5] == ["api", "--model_name_or_path", "a/model", "--template", "qwen3"]
    assert served["argv"][5:7] == ["--enable_thinking", "false"]


@pytest.mark.slow
def test_an_error_within_the_block_ends_it_too(program: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="refused"), serve(tmp_path, free_port()) as url:
        raise UserError("refused")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/models", trust_env=False)


def test_a_port_in_use_is_reported(program: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} of 127\.0\.0\.1 is in use; .*api_port"):
            serve(tmp_path, port).__enter__()


@pytest.mark.slow
def test_a_server_that_ends_is_reported_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "import sys; sys.exit('ValueError: no such template')")
    with pytest.raises(UserError, match=r"exit code 1: ValueError: no such template \(log: .*log"):
        serve(tmp_path, free_port()).__enter__()


def test_want_of_memory_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(UserError, match="ran out of memory; end other processes on the GPU"):
        serve(tmp_path, free_port()).__enter__()


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    body = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    stand_in(tmp_path, monkeypatch, body)
    with pytest.raises(UserError, match="did not answer at http"):
        serve(tmp_path, free_port(), timeout=1).__enter__()
    assert not psutil.pid_exists(int(pid.read_text()))


@pytest.mark.slow
def test_another_server_on_the_port_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SERVER.replace('os.environ["API_MODEL_NAME"]', '"another/model"')
    stand_in(tmp_path, monkeypatch, other)
    with pytest.raises(UserError, match="did not answer"):
        serve(tmp_path, free_port(), timeout=1.5).__enter__()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux signals a process when its parent ends"
)
def test_it_is_asked_to_stop_when_the_stage_is_killed(tmp_path: Path) -> None:
    # A server has processes of its own: it must be asked to stop, which lets it end them.
    child = (
        "import signal, sys, time\n"
        f"def stop(*_): open({str(tmp_path / 'stopped')!r}, 'w').close(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from newsrec.running.processes import running
        log = Path({str(tmp_path / "log")!r})
        with running([sys.executable, "-c", {child!r}], {{}}, log):
            while "ready" not in log.read_text():
                time.sleep(0.05)
            print("ready", flush=True)
            time.sleep(60)
    """)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stage:
        assert stage.stdout is not None
        assert stage.stdout.readline() == "ready\n"
        os.kill(stage.pid, signal.SIGKILL)
        stage.wait()
    wait_for((tmp_path / "stopped").exists, 10)
