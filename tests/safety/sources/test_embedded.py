"""The server of the run's own: closed to others, gone with the run, and missed in one line."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from newsrec.errors import UserError
from newsrec.safety.sources import embedded
from newsrec.safety.sources.embedded import PYTHON_VARIABLE, mongodb_python, serve
from newsrec.safety.sources.mongodb import Connection, Fields, connect, read_documents
from tests.processes import children, is_gone, wait_for

FIELDS = Fields("text", "label", None)


def server_processes() -> list[psutil.Process]:
    return children(psutil.Process(), "secantusd")


def test_without_the_environment_one_line_says_how_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "python"))
    with pytest.raises(UserError, match=r"python: no such file; .*make -C .* env"):
        mongodb_python()


@pytest.mark.slow
def test_a_server_that_does_not_start_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)  # which has no such server beside it
    with (
        pytest.raises(UserError, match=r"did not start: .*No such file.*remove .* make env"),
        serve([], tmp_path),
    ):
        pass


@pytest.mark.slow
def test_only_the_reader_can_read_and_nobody_else_write(collection: Connection) -> None:
    with connect(collection) as client:
        documents = client[collection.database][collection.collection]
        assert documents.count_documents({}) == 611
        with pytest.raises(UserError, match="may not read it"), connect(collection) as other:
            other[collection.database][collection.collection].insert_one({})
    with pytest.raises(UserError, match="who has not logged in"):
        list(read_documents(replace(collection, user=None), FIELDS))


@pytest.mark.slow
def test_passwords_are_in_no_command_and_no_file(collection: Connection) -> None:
    (server,) = server_processes()
    listed = str(server.cmdline())
    assert "--auth" in listed
    assert "127.0.0.1" in listed
    assert str(collection.password) not in listed + str(server.environ())
    folder = Path(server.cmdline()[server.cmdline().index("--storage-path") + 1]).parent
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [data for data in files if str(collection.password).encode() in data]


@pytest.mark.slow
@pytest.mark.usefixtures("server_python")
def test_documents_come_from_an_iterator_and_the_server_ends(tmp_path: Path) -> None:
    before = server_processes()
    documents = ({"text": f"t{n}", "label": "正常"} for n in range(5000))
    with serve(documents, tmp_path) as connection:
        (server,) = [one for one in server_processes() if one not in before]
        found = list(read_documents(connection, FIELDS))
    assert len(found) == 5000
    assert not server.is_running()


@pytest.mark.slow
@pytest.mark.usefixtures("server_python")
def test_the_server_ends_with_an_error_in_the_block(tmp_path: Path) -> None:
    before = server_processes()
    with pytest.raises(ZeroDivisionError), serve([], tmp_path):
        raise ZeroDivisionError
    assert server_processes() == before


@pytest.mark.slow
def test_a_server_that_dies_while_it_is_read_is_one_line(
    server_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = server_processes()
    documents = [{"text": "长" * 1000, "label": "正常"} for _ in range(5000)]
    with serve(documents, tmp_path) as connection:
        uri = f"{connection.uri}/?serverSelectionTimeoutMS=300"
        reading = read_documents(replace(connection, uri=uri), FIELDS)
        next(reading)
        (server,) = [one for one in server_processes() if one not in before]
        server.kill()
        with pytest.raises(UserError, match=r"no MongoDB server answers|connection broke off"):
            list(reading)


@pytest.mark.slow
@pytest.mark.usefixtures("server_python")
def test_another_program_on_the_port_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], embedded._free_port(), embedded._free_port()])
        monkeypatch.setattr(embedded, "_free_port", lambda: next(ports))
        with serve([{"text": "a", "label": "正常"}], tmp_path) as connection:
            assert len(list(read_documents(connection, FIELDS))) == 1


@pytest.fixture
def stage(server_python: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen, psutil.Process]]:
    """A process that runs a server, and the server."""
    script = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from newsrec.safety.sources.embedded import serve
        with serve([], Path({str(tmp_path)!r})):
            print("up", flush=True)
            time.sleep(60)
    """)
    command = [sys.executable, "-c", script]
    env = {**os.environ, PYTHON_VARIABLE: str(server_python)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        (server,) = psutil.Process(process.pid).children()
        yield process, server
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_dies_with_its_run(
    number: signal.Signals, stage: tuple[subprocess.Popen, psutil.Process]
) -> None:
    process, server = stage
    process.send_signal(number)
    process.wait()
    wait_for(lambda: is_gone(server), 10)
