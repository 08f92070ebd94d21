"""`newsrec serve` with a tiny model: the document's own snippets, choices, Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pyarrow.parquet as pq
import pytest

from newsrec.chat.messages import user_turn
from newsrec.chat.tokens import encode_chats, load_tokenizer
from newsrec.engines import api_engine, transformers_engine, vllm_engine
from newsrec.engines.request import Choices, FewPrompts, Request
from newsrec.engines.settings import (
    MODEL_VARIABLE,
    URL_VARIABLE,
    ApiSettings,
    TransformersSettings,
)
from newsrec.params.compose import compose
from tests import ROOT
from tests.documents import blocks
from tests.engines.stub_server import SETTINGS
from tests.engines.test_api_server import free_port
from tests.processes import is_gone, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

DOCUMENT = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
SERVE = [str(Path(sys.executable).with_name("newsrec")), "serve"]
LABELS = ("数据平台相关问题", "通用问题", "无关问题")


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    model: Path
    port: int
    folder: Path


def run(words: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SERVE, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a shell ignore Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the pipeline, in a path that vLLM misreads."""
    folder = tmp_path_factory.mktemp("serve") / "a b"
    (folder / "models").mkdir(parents=True)
    (folder / "models/merged").symlink_to(tiny_model)
    values = ["score.max_model_len=512", "score.gpu_memory_utilization=0.3"]
    compose(folder / "params.yaml", values, "assistant")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    port = free_port()
    with run(["--port", str(port)], folder) as process:
        assert process.stdout is not None
        assert "starting vLLM with models/merged" in process.stdout.readline()
        shown = process.stdout.readline()
        log = folder / ".work/serve/server.log"
        assert f"the model 'merged' is at http://127.0.0.1:{port}/v1" in shown, log.read_text()
        yield Server(process, folder / "models/merged", port, folder)
        process.kill()


def snippet(language: str, sign: str, port: int) -> str:
    (found,) = (body for body in blocks(DOCUMENT, language) if sign in body)
    assert found.count("127.0.0.1:8000") == 1
    return found.replace("127.0.0.1:8000", f"127.0.0.1:{port}")


def output(command: list[str | Path], folder: Path) -> str:
    env = {name: value for name, value in os.environ.items() if not name.endswith("_PROXY")}
    finished = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def offline(model: Path, content: str, max_tokens: int, work: Path, choices: Choices = ()) -> str:
    """What transformers answers to the prompt of training, thinking off."""
    work.mkdir(exist_ok=True)
    prompts = FewPrompts(encode_chats(load_tokenizer(model), [user_turn(content)]))
    settings = TransformersSettings(dtype="float32", batch_size=1, device="cpu")
    request = Request(prompts, (), max_tokens, [choices])
    transformers_engine.answer(settings, model, request, work / "answers.parquet", work)
    (text,) = pq.read_table(work / "answers.parquet")["text"].to_pylist()
    return str(text)


def test_the_snippet_of_curl_gets_a_label(server: Server, tmp_path: Path) -> None:
    reply = json.loads(output(["bash", "-c", snippet("bash", "curl", server.port)], tmp_path))
    content = "任务: 问题场景分类\n输入: 怎么申请一张表的权限？"
    expected = offline(server.model, content, 1, tmp_path, LABELS)
    assert reply["choices"][0]["message"]["content"] == expected
    assert expected in LABELS


def test_the_snippet_of_requests_gets_what_the_model_writes_without_thinking(
    server: Server, tmp_path: Path
) -> None:
    shown = output([sys.executable, "-c", snippet("python", "requests", server.port)], tmp_path)
    content = "任务: 问题回答\n输入: 怎么申请一张表的权限？"
    assert shown.split() == offline(server.model, content, 128, tmp_path).split() != []


def test_the_snippet_of_the_openai_sdk_streams_the_same(server: Server, tmp_path: Path) -> None:
    code = snippet("python", "OpenAI", server.port)
    shown = output([vllm_engine.vllm_python(), "-c", code], tmp_path)
    content = "任务: 文件名称提取\n输入: 把客户清单发给我"
    assert shown.split() == offline(server.model, content, 32, tmp_path).split() != []


def test_the_engine_for_servers_gets_choices_of_it_and_free_text_beside_them(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [f"任务: 问题场景分类\n输入: word {number}" for number in range(6)]
    choices: list[Choices] = [LABELS if number % 2 else () for number in range(6)]
    monkeypatch.setenv(URL_VARIABLE, f"http://127.0.0.1:{server.port}/v1")
    monkeypatch.setenv(f"{MODEL_VARIABLE}TUNED", "merged")
    request = Request(FewPrompts(chats=list(map(user_turn, contents))), (), 4, choices)
    target = tmp_path / "found.parquet"
    settings = ApiSettings(**SETTINGS)
    reported = api_engine.answer(settings, "tuned", server.model, request, target, tmp_path)
    assert (reported["num_unconstrained"], reported["num_unanswered"]) == (0, 0)
    assert pq.read_table(target)["text"].to_pylist() == [
        offline(server.model, content, 4, tmp_path / str(row), choices[row])
        for row, content in enumerate(contents)
    ]


def test_a_port_in_use_is_one_line_while_the_server_goes_on(server: Server) -> None:
    other = run(["--port", str(server.port)], server.folder)
    _, errors = other.communicate(timeout=60)
    assert other.returncode == 2
    assert re.fullmatch(rf"newsrec: port {server.port} .* is in use; .* with --port\n", errors)
    assert httpx.get(f"http://127.0.0.1:{server.port}/v1/models", trust_env=False).is_success


def test_ctrl_c_ends_it_and_leaves_no_process(server: Server) -> None:
    started = psutil.Process(server.process.pid).children(recursive=True)
    assert len(started) > 1  # the server and its engine
    # A terminal sends it to the whole group.
    assert os.getpgid(started[0].pid) != os.getpgid(server.process.pid)
    server.process.send_signal(signal.SIGINT)
    out, errors = server.process.communicate(timeout=60)
    assert (server.process.returncode, out, errors) == (0, "serve: ended\n", "")
    wait_for(lambda: is_gone(*started), 10)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0
