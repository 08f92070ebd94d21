"""Ask a remote's server for an answer before DVC does, which waits minutes for one.

In a process of its own, which can be ended whatever the library of the remote is waiting for.
"""

import importlib
import os
import subprocess
import sys
from urllib.parse import urlsplit

from newsrec.errors import UserError

# From the moment when the libraries are imported, which takes seconds on a busy machine.
SECONDS_TO_ANSWER = 12
_READY = b"ready\n"


def check_answers(name: str, url: str) -> None:
    """Return when the server of the DVC remote `name` of the current project has answered.

    Raises:
        UserError: it did not within `SECONDS_TO_ANSWER`, or refused.
    """
    where = f"the remote {name} ({_without_secrets(url)})"
    with subprocess.Popen(
        [sys.executable, "-m", "newsrec.sharing.probe", name],
        # One attempt: botocore makes five, with growing pauses.
        env={**os.environ, "AWS_MAX_ATTEMPTS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        assert process.stdout is not None
        said = b""
        while not said.endswith(_READY) and (line := process.stdout.readline()):
            said += line
        try:
            said += process.communicate(timeout=SECONDS_TO_ANSWER)[0]
        except subprocess.TimeoutExpired:
            raise UserError(
                f"{where} does not answer within {SECONDS_TO_ANSWER} s; is the server up, and can "
                "this machine reach it?"
            ) from None
        finally:
            process.kill()
    if process.returncode:
        lines = said.removeprefix(_READY).decode(errors="replace").split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), "no reason given")
        raise UserError(f"{where} cannot be used: {reason}")


def _without_secrets(url: str) -> str:
    """A URL without a user's name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _probe(name: str) -> None:
    from dvc.config import Config
    from dvc.fs import get_cloud_fs

    kind, settings, path = get_cloud_fs(Config.from_cwd(), name=name)
    for module in kind.REQUIRES.values():
        importlib.import_module(module)
    files = kind(**settings)
    sys.stdout.buffer.write(_READY)
    sys.stdout.flush()
    files.exists(path)


if __name__ == "__main__":
    try:
        _probe(sys.argv[1])
    except Exception as error:  # of any of DVC's many libraries
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
    sys.stdout.flush()
    os._exit(0)  # not to wait for connections to close
