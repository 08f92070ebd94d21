"""Serve a model to other programs on this machine until Ctrl-C."""

from pathlib import Path

from newsrec.engines.advice import explain_server
from newsrec.engines.api_server import vllm_server
from newsrec.engines.settings import VllmSettings
from newsrec.errors import UserError
from newsrec.models.checks import check_model
from newsrec.running.processes import Finished, read_tail

_SECONDS_TO_START = 900
_WORK = Path(".work/serve")


def serve(settings: VllmSettings, model: Path, port: int) -> None:
    """Serve a model with vLLM's OpenAI-compatible server; its name is that of its folder.

    It listens on the loopback interface without a key: anyone on this machine can use it.

    Args:
        settings: the settings of vLLM.
        model: folder of a whole Hugging Face model.
        port: the port on this machine.

    Raises:
        UserError: there is no such model, vLLM's environment is missing, the port is in use, or the
            server ended unexpectedly.
    """
    if not model.is_dir():
        raise UserError(
            f"{model}: no such folder; expected a model; create it with: dvc repro merge"
        )
    check_model(model)
    name = model.absolute().name
    log = _WORK / "server.log"
    print(f"serve: starting vLLM with {model} (log: {log})", flush=True)
    try:
        with vllm_server(model, name, port, _WORK, _SECONDS_TO_START, settings) as served:
            print(f"serve: the model {name!r} is at {served.url}; stop it with Ctrl-C", flush=True)
            finished = Finished(served.process.wait(), read_tail(log))
            raise UserError(explain_server("vLLM's server", finished, log))
    except KeyboardInterrupt:
        print("serve: ended", flush=True)
