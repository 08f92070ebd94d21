"""Serve a model on this machine while a block of code runs, with LLaMA-Factory or vLLM."""

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
from newsrec.models.facts import count_parameters
from newsrec.models.threads import threads_environment
from newsrec.running.processes import Finished, read_tail, running

_HOST = "127.0.0.1"  # the data are private: no other machine on the network can connect
_SECONDS_BETWEEN_LOOKS = 0.5


class Served(NamedTuple):
    """A running server: its URL, including `/v1`, and its process."""

    url: str
    process: Popen[bytes]


@contextmanager
def llamafactory_server(
    model: Path, template: str, port: int, work: Path, timeout: float, *, dtype: str
) -> Iterator[str]:
    """Serve `model` with LLaMA-Factory's API on transformers; its name is its path.

    It answers one request at a time and returns no log-probabilities.

    Args:
        model: folder of a Hugging Face model.
        template: LLaMA-Factory's name of the chat template that was used in training.
        port: the port on this machine.
        work: folder for the log.
        timeout: seconds until it must answer, including the time to load the model.
        dtype: `auto`, `float16`, `bfloat16` or `float32`.

    Yields:
        The URL, including `/v1`.

    Raises:
        UserError: the port is in use, or the server ended or did not answer in time.
    """
    command: list[str | Path] = [
        *(Path(sys.executable).with_name("llamafactory-cli"), "api"),
        *("--model_name_or_path", model),
        # Without this option, it uses the template of the tokenizer.
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
        "API_VERBOSE": "0",  # otherwise every prompt is logged
        **threads_environment(count_parameters(model)),
    }
    what, other = "LLaMA-Factory's server", "score.api_port"
    with _serve(what, command, env, str(model), port, other, work, timeout) as served:
        yield served.url


@contextmanager
def vllm_server(
    model: Path, name: str, port: int, work: Path, timeout: float, settings: VllmSettings
) -> Iterator[Served]:
    """Serve `model` with vLLM's OpenAI-compatible API; thinking is off unless requested.

    Ctrl-C in a terminal does not reach the server; it ends with the block.

    Args:
        model: folder of a Hugging Face model.
        name: the name of the model in requests.
        port: the port on this machine.
        work: folder for the log.
        timeout: seconds until it must answer, including the time to load the model.
        settings: the settings of vLLM; `batch_size` is not used.

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
            # Otherwise the model's folder sets penalties for requests that do not set them.
            *("--generation-config", "vllm"),
            *("--default-chat-template-kwargs", '{"enable_thinking": false}'),
            *(["--enforce-eager"] if settings.enforce_eager else []),
        ]
        env = {
            "VLLM_CPU_KVCACHE_SPACE": str(settings.cpu_kv_cache_gib),
            "VLLM_LOGGING_LEVEL": "WARNING",
            "VLLM_API_KEY": "",  # a key for something else would be asked for here
            **threads_environment(count_parameters(model)),
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
                    "a smaller model if it was still loading"
                )
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        yield Served(url, process)


def _check_free(port: int, other: str) -> None:
    with socket.socket() as probe:
        # As for servers, a port whose last connections are still closing counts as free.
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
    """Whether this model is served there, rather than another program using the port."""
    try:
        # Not through a proxy, which cannot reach this machine.
        reply = httpx.get(f"{url}/models", timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return reply.status_code == 200 and name in [entry["id"] for entry in reply.json()["data"]]
