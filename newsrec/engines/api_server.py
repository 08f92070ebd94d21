"""A model served on this machine for as long as a block of code runs: LLaMA-Factory's, vLLM's."""

import errno
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple

import httpx

from newsrec.engines.advice import explain_server
from newsrec.engines.settings import VllmSettings
from newsrec.engines.vllm_engine import require_vllm, understood
from newsrec.errors import UserError
from newsrec.running.processes import Finished, read_tail, running

_HOST = "127.0.0.1"  # private data: nobody else on the network gets to ask or to listen
_SECONDS_BETWEEN_LOOKS = 0.5


class Served(NamedTuple):
    """A server that answers: its address, up to and with `/v1`, and its process."""

    url: str
    process: Popen[bytes]


@contextmanager
def llamafactory_server(
    model: Path, template: str, port: int, work: Path, timeout: float, *, dtype: str
) -> Iterator[str]:
    """Serve `model`, under its path as a name, by LLaMA-Factory's API on transformers.

    It answers one request at a time and returns no log-probabilities.

    Args:
        model: folder of a Hugging Face model.
        template: LLaMA-Factory's name of the chat template, the one that was trained with.
        port: on this machine alone.
        work: for the log.
        timeout: seconds until it must answer; it loads the model first.
        dtype: `auto`, `float16`, `bfloat16` or `float32`.

    Yields:
        The address, up to and with `/v1`.

    Raises:
        UserError: the port is in use, or the server ended or did not answer in time.
    """
    command: list[str | Path] = [
        *(Path(sys.executable).with_name("llamafactory-cli"), "api"),
        *("--model_name_or_path", model),
        # When none is named it parses the tokenizer's own.
        *([] if template == "auto" else ["--template", template]),
        # The same empty think block as in training and as in the model's own chat template.
        *("--enable_thinking", "false"),
        *("--infer_backend", "huggingface"),
        *("--infer_dtype", dtype),
        *("--trust_remote_code", "false"),
    ]
    env = {
        "API_HOST": _HOST,
        "API_PORT": str(port),
        "API_MODEL_NAME": str(model),
        "API_KEY": "",  # a key for something else would be asked for here
        "API_VERBOSE": "0",  # else every prompt goes to the log
    }
    what, other = "LLaMA-Factory's server", "score.api_port"
    with _serve(what, command, env, str(model), port, other, work, timeout) as served:
        yield served.url


@contextmanager
def vllm_server(
    model: Path, name: str, port: int, work: Path, timeout: float, settings: VllmSettings
) -> Iterator[Served]:
    """Serve `model` by vLLM's OpenAI-compatible API, thinking off unless a request turns it on.

    Ctrl-C in a terminal does not reach it: it ends with the block.

    Args:
        model: folder of a Hugging Face model.
        name: that requests call it by.
        port: on this machine alone.
        work: for the log.
        timeout: seconds until it must answer; it loads the model first.
        settings: of vLLM; answers are not batched here.

    Raises:
        UserError: vLLM's environment is missing, the port is in use, or the server ended or did not
            answer in time.
    """
    with understood(require_vllm(), model) as (python, folder, places):
        command: list[str | Path] = [
            *(python, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", folder, "--served-model-name", name),
            *("--host", _HOST, "--port", str(port)),
            *("--dtype", settings.dtype),
            *("--max-model-len", str(settings.max_model_len)),
            *("--gpu-memory-utilization", str(settings.gpu_memory_utilization)),
            *("--seed", str(settings.seed)),
            *("--max-logprobs", "20"),
            # Else the model's folder decides on penalties for whoever does not name them.
            *("--generation-config", "vllm"),
            *("--default-chat-template-kwargs", '{"enable_thinking": false}'),
            *(["--enforce-eager"] if settings.enforce_eager else []),
        ]
        env = {
            "VLLM_CPU_KVCACHE_SPACE": str(settings.cpu_kv_cache_gib),
            "VLLM_LOGGING_LEVEL": "WARNING",
            "VLLM_API_KEY": "",  # a key for something else would be asked for here
            **places,
        }
        with _serve("vLLM's server", command, env, name, port, "--port", work, timeout) as served:
            yield served


@contextmanager
def _serve(
    what: str,
    command: Sequence[str | Path],
    env: Mapping[str, str],
    name: str,
    port: int,
    other: str,
    work: Path,
    timeout: float,
) -> Iterator[Served]:
    _check_free(port, other)
    log = work / "server.log"
    url = f"http://{_HOST}:{port}/v1"
    with running(command, env, log, group=0) as process:
        give_up = time.monotonic() + timeout
        while not _serves(url, name):
            if (code := process.poll()) is not None:
                raise UserError(explain_server(what, Finished(code, read_tail(log)), log))
            if time.monotonic() > give_up:
                raise UserError(
                    f"{what} did not answer at {url} within {timeout:.0f} s; see {log}, and choose "
                    "a smaller model where it was still loading"
                )
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        yield Served(url, process)


def _check_free(port: int, other: str) -> None:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise UserError(
                f"port {port} of {_HOST} is in use; end the program that uses it (ss -ltnp shows "
                f"it) or choose another with {other}"
            ) from None


def _serves(url: str, name: str) -> bool:
    """Whether this model is served there, not whatever else may have taken the port."""
    try:
        # Not through a proxy, which does not reach this machine.
        reply = httpx.get(f"{url}/models", timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return reply.status_code == 200 and name in [entry["id"] for entry in reply.json()["data"]]
