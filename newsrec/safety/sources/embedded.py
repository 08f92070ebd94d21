"""A MongoDB server of the run's own: SecantusDB, in an environment and a process of its own.

It speaks MongoDB's wire protocol on WiredTiger and comes from PyPI, which MongoDB itself does not.
It is GPL-2.0: it is run as a program, never imported.
"""

import secrets
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from subprocess import Popen
from typing import Any, Protocol

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure

from newsrec.errors import UserError
from newsrec.running.environments import require_python
from newsrec.running.processes import read_tail, running
from newsrec.safety.sources.mongodb import Connection, Fields, connect

PYTHON_VARIABLE = "NEWSREC_MONGODB_PYTHON"
_ENVIRONMENT = ".venv-mongodb"
_DATABASE, _COLLECTION = "safety", "documents"
_SECONDS_TO_START = 60
_NUM_TRIES = 3  # another program may take the port before the server does
_BATCH = 2_000  # documents
_CACHE = "256M"


def mongodb_python() -> Path:
    """The Python of the server's environment; see `newsrec.running.environments.python_of`.

    Raises:
        UserError: there is none.
    """
    whose, target = "the embedded MongoDB server's", "env PIPELINE=safety"
    return require_python(_ENVIRONMENT, PYTHON_VARIABLE, whose, target)


class LabelledText(Protocol):
    """A document of a corpus, to be inserted."""

    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def tags(self) -> Sequence[str]: ...


def stored(document: LabelledText, fields: Fields) -> dict[str, object]:
    """A document as a collection has it: one label as a string, several as a list."""
    labels = list(document.labels)
    found: dict[str, object] = {"_id": document.id, fields.text: document.text}
    found[fields.label] = labels[0] if len(labels) == 1 else labels
    return found | ({fields.tags: list(document.tags)} if fields.tags else {})


@contextmanager
def serve(documents: Iterable[Mapping[str, Any]], work: Path) -> Iterator[Connection]:
    """Run a server that holds `documents` until the block ends, or this process.

    It listens on this machine alone, and knows two users whose passwords are drawn anew: one that
    inserts and one that may only read.

    Args:
        documents: to insert, in this order; those without `_id` get one.
        work: a folder for its data, which is new or empty.

    Yields:
        How to read them.

    Raises:
        UserError: its environment is missing, or it does not start.
    """
    python = mongodb_python()
    writer = Connection(
        "", _DATABASE, _COLLECTION, "writer", _DATABASE, password=secrets.token_urlsafe(24)
    )
    reader = replace(writer, user="reader", password=secrets.token_urlsafe(24))
    work.mkdir(parents=True, exist_ok=True)
    # A server that asks for a password lets nobody in to create the first user.
    with (
        _running(python, work, []) as uri,
        connect(replace(writer, uri=uri, user=None)) as client,
    ):
        for one, role in ((writer, "readWrite"), (reader, "read")):
            client[_DATABASE].command("createUser", one.user, pwd=one.password, roles=[role])
        _check_users(client, [writer, reader])
        client.admin.command("fsync")
    with _running(python, work, ["--auth"]) as uri:
        with connect(replace(writer, uri=uri)) as client:
            _insert(client, documents)
        yield replace(reader, uri=uri)


def _check_users(client: MongoClient[dict[str, Any]], users: list[Connection]) -> None:
    """Nobody else may have come in while the server asked for no password."""
    found = {one["user"] for one in client[_DATABASE].command("usersInfo")["users"]}
    if found != {one.user for one in users}:
        raise UserError(
            f"the embedded MongoDB server knows the users {', '.join(sorted(found))}; expected its "
            "own two; another program on this machine may have reached it: run the same again"
        )


def _insert(client: MongoClient[dict[str, Any]], documents: Iterable[Mapping[str, Any]]) -> None:
    collection, rest = client[_DATABASE][_COLLECTION], iter(documents)
    # pymongo makes batches of its own, but of a list of all documents.
    while batch := [dict(one) for one in islice(rest, _BATCH)]:
        collection.insert_many(batch)


@contextmanager
def _running(python: Path, work: Path, options: list[str]) -> Iterator[str]:
    """Run the server on a free port until the block ends; yield its URI.

    It is killed then, since it takes two seconds to end by itself, and keeps what `fsync` wrote.
    """
    # Without a file of its own it reads one of the working directory, the home or /etc.
    settings, log = work / "settings.toml", work / "server.log"
    settings.write_text("")
    for _ in range(_NUM_TRIES):
        port = _free_port()
        command: list[str | Path] = [
            *(python, "-P", python.with_name("secantusd-py"), "--config", settings, "--standalone"),
            *("--host", "127.0.0.1", "--port", str(port), "--storage-path", work / "data"),
            *("--cache-size", _CACHE, *options),
        ]
        with running(command, {}, log) as process:
            if _is_up(process, port):
                try:
                    yield f"mongodb://127.0.0.1:{port}"
                finally:
                    process.kill()
                    process.wait()
                return
        if "Address already in use" not in read_tail(log):
            break
    last = (read_tail(log).strip().splitlines() or ["no output"])[-1]
    raise UserError(
        f"the embedded MongoDB server did not start: {last[:300]} (log: {log}); create its "
        f"environment again: remove {python.parents[1]} and run make env"
    )


def _is_up(process: Popen[bytes], port: int) -> bool:
    """Wait until the server answers; False where it ended, or never did."""
    until = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < until:
        with (
            suppress(ConnectionFailure),
            MongoClient[dict[str, Any]](
                "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=200
            ) as client,
        ):
            client.admin.command("ping")
            return True
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
