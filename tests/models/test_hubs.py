import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import huggingface_hub.file_download
import modelscope_hub._download
import modelscope_hub._legacy_api
import modelscope_hub.config
import numpy as np
import pytest
import requests
from huggingface_hub import HfApi
from safetensors.numpy import save

from newsrec.errors import UserError
from newsrec.models.checks import check_model
from newsrec.models.facts import count_parameters, describe_model
from newsrec.models.hubs import fetch_huggingface, fetch_local, fetch_modelscope
from newsrec.models.one_form import write_description
from newsrec.models.weights import copy_weights
from tests.hub_servers import Hub, serve_hugging_face, serve_modelscope

pytestmark = pytest.mark.slow

Fetch = Callable[[str, str, Path], Path]
NAME = "acme/tiny-chat"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
INDEX = "model.safetensors.index.json"
WANTED = {"config.json", "tokenizer_config.json", "tokenizer.json", "LICENSE", INDEX, *SHARDS}


def model_files() -> dict[str, bytes]:
    values = np.arange(20_000, dtype=np.float32)
    places = {"a.weight": SHARDS[0], "b.weight": SHARDS[1], "b.bias": SHARDS[1]}
    return {
        "config.json": json.dumps(
            {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
        ).encode(),
        "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}',
        "tokenizer.json": b"{}",
        "LICENSE": b"free",
        INDEX: json.dumps({"metadata": {}, "weight_map": places}).encode(),
        SHARDS[0]: save({"a.weight": values.reshape(200, 100)}),
        SHARDS[1]: save({"b.weight": values + 1, "b.bias": np.zeros(7, dtype=np.float16)}),
    }


UNWANTED = {
    "pytorch_model.bin": b"pickle",
    "modeling_tiny.py": b"import os",
    "training_args.pt": b"pickle",
    "README.md": b"read me",
    "onnx/model.safetensors": b"another format",
    "consolidated.safetensors": b"another format",
}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, nothing of the user's home, and no waiting between tries."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "ms_secret")
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1024)
    monkeypatch.setattr(modelscope_hub._legacy_api, "REPO_TREE_PAGE_MAX_ATTEMPTS", 1)
    monkeypatch.setattr(modelscope_hub._legacy_api, "API_MAX_RETRIES", 0)
    monkeypatch.setattr(modelscope_hub._download, "DOWNLOAD_INTEGRITY_RETRY_BACKOFF", 0)
    # Switched off by the code under test; the flags must not outlive a test.
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET", "HF_HUB_ENABLE_HF_TRANSFER"):
        value = getattr(huggingface_hub.constants, name)
        monkeypatch.setattr(huggingface_hub.constants, name, value)


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Send both clients to `url`, though they have read their environment already."""
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    monkeypatch.setattr(huggingface_hub.file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", url)
    monkeypatch.setattr(modelscope_hub.config, "_default_config", None)


@pytest.fixture(params=["huggingface", "modelscope"])
def hub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with ExitStack() as stack:
        served = Hub(NAME, model_files() | UNWANTED)
        if request.param == "huggingface":
            stack.enter_context(serve_hugging_face(served))
        else:
            served.branch = "master"
            stack.enter_context(serve_modelscope(served))
        use(monkeypatch, served.url)
        yield served


@pytest.fixture
def fetch(hub: Hub) -> Fetch:
    return fetch_huggingface if hub.branch == "main" else fetch_modelscope


def reported(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    return message


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in model_files().items():
        (folder / name).write_bytes(content)
    return folder


def test_a_model_arrives_whole_and_without_pickles_or_code(
    hub: Hub, fetch: Fetch, tmp_path: Path
) -> None:
    folder = fetch(NAME, hub.branch, tmp_path / "work")
    assert tmp_path / "work" in folder.parents
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == model_files()
    assert {name for name, _ in hub.sent} == WANTED
    check_model(folder)
    assert describe_model(folder) == {
        "architecture": "Qwen3ForCausalLM",
        "num_parameters": 40_007,
        "dtype": "F32",
    }


def test_a_commit_id_works_as_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_hugging_face(Hub(NAME, model_files())) as hub:
        use(monkeypatch, hub.url)
        branch = fetch_huggingface(NAME, "main", tmp_path)
        assert fetch_huggingface(NAME, branch.name.partition("@")[2], tmp_path) == branch


def test_a_download_goes_on_after_a_broken_connection(
    hub: Hub, fetch: Fetch, tmp_path: Path
) -> None:
    hub.cut[SHARDS[0]] = 50_000
    if fetch is fetch_huggingface:  # ModelScope's client goes on by itself
        assert "run again" in reported(lambda: fetch(NAME, hub.branch, tmp_path))
    folder = fetch(NAME, hub.branch, tmp_path)
    assert all(len(hub.ranges(name)) == 1 for name in WANTED - {SHARDS[0]})
    first, second = hub.ranges(SHARDS[0])
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 50_000
    assert (folder / SHARDS[0]).read_bytes() == hub.files[SHARDS[0]]


def test_no_token_is_in_a_file_or_in_what_is_shown(
    hub: Hub, fetch: Fetch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch(NAME, hub.branch, tmp_path)
    hub.refuse = 401
    reported(lambda: fetch(NAME, hub.branch, tmp_path / "other"))
    assert "_secret" not in "".join(capfd.readouterr())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= len(WANTED)
    assert not any(b"_secret" in path.read_bytes() for path in files)


def test_a_killed_download_goes_on_in_the_next_run(hub: Hub, fetch: Fetch, tmp_path: Path) -> None:
    hub.stalled[SHARDS[0]] = 50_000
    code = (
        "import sys, pathlib, huggingface_hub.constants as c; c.DOWNLOAD_CHUNK_SIZE = 1024\n"
        f"from newsrec.models.hubs import {fetch.__name__} as fetch\n"
        "fetch(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, NAME, hub.branch, str(tmp_path)],
        env=os.environ | {"HF_ENDPOINT": hub.url},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        # The rest of the small files and at least a part of the large one.
        while {name for name, _ in hub.sent} != WANTED or not any(
            path.stat().st_size > 20_000 for path in tmp_path.rglob("*.incomplete")
        ):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    hub.go_on.set()
    hub.sent.clear()
    folder = fetch(NAME, hub.branch, tmp_path)
    (asked,) = hub.ranges(SHARDS[0])
    assert 20_000 < int(asked.removeprefix("bytes=").removesuffix("-")) <= 50_000
    assert hub.ranges(SHARDS[1]) == []
    assert (folder / SHARDS[0]).read_bytes() == hub.files[SHARDS[0]]


def test_a_hub_that_falls_silent_after_the_listing_does_not_leave_half_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_hugging_face(Hub(NAME, model_files(), cut={SHARDS[0]: 50_000})) as hub:
        use(monkeypatch, hub.url)
        reported(lambda: fetch_huggingface(NAME, "main", tmp_path))

        def silent(self: HfApi, *names: object, **more: object) -> object:
            raise requests.ConnectionError

        # The client then returns the part that is there as if it were the whole.
        monkeypatch.setattr(HfApi, "repo_info", silent)
        message = reported(lambda: fetch_huggingface(NAME, "main", tmp_path))
    assert f"{SHARDS[0]} did not arrive" in message


def test_a_hub_out_of_order_is_reported_in_one_line(hub: Hub, fetch: Fetch, tmp_path: Path) -> None:
    hub.refuse = 503
    message = reported(lambda: fetch(NAME, hub.branch, tmp_path))
    assert "HTTP 503" in message
    assert "try again later" in message


def test_a_wrong_id_is_reported_in_one_line(hub: Hub, fetch: Fetch, tmp_path: Path) -> None:
    message = reported(lambda: fetch("acme/wrong", hub.branch, tmp_path))
    assert "'acme/wrong'" in message
    assert "check fetch_model.name" in message


@pytest.mark.parametrize("name", ["tiny-chat", "acme/tiny/chat", "../chat", "/acme/tiny", ""])
def test_an_id_that_no_hub_has_is_reported_without_asking(
    hub: Hub, fetch: Fetch, tmp_path: Path, name: str
) -> None:
    assert "expected owner/name" in reported(lambda: fetch(name, "main", tmp_path))
    assert "fetch_model.revision is empty" in reported(lambda: fetch(NAME, "", tmp_path))
    assert not list(tmp_path.iterdir())


def test_an_unknown_revision_is_reported_in_one_line(
    hub: Hub, fetch: Fetch, tmp_path: Path
) -> None:
    message = reported(lambda: fetch(NAME, "v9", tmp_path))
    assert "'v9'" in message
    assert "fetch_model.revision" in message
    if fetch is fetch_modelscope:
        assert "expected one of: master" in message


@pytest.mark.parametrize("fetch", [fetch_huggingface, fetch_modelscope])
def test_no_network_is_reported_in_one_line(
    fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        use(monkeypatch, f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert "check the network" in reported(lambda: fetch(NAME, "main", tmp_path))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_reported_in_one_line(
    hub: Hub, fetch: Fetch, tmp_path: Path, status: int
) -> None:
    hub.refuse = status
    message = reported(lambda: fetch(NAME, hub.branch, tmp_path))
    assert f"HTTP {status}" in message
    assert ("HF_TOKEN" if fetch is fetch_huggingface else "MODELSCOPE_API_TOKEN") in message


def test_a_gated_model_is_reported_in_one_line(hub: Hub, fetch: Fetch, tmp_path: Path) -> None:
    hub.gated = True
    message = reported(lambda: fetch(NAME, hub.branch, tmp_path))
    assert "accept" in message
    assert "TOKEN" in message


@pytest.mark.parametrize("name", [SHARDS[1], "tokenizer.json"])
def test_a_file_that_arrives_broken_is_reported_and_fetched_anew(
    hub: Hub, fetch: Fetch, tmp_path: Path, name: str
) -> None:
    hub.damaged.add(name)
    message = reported(lambda: fetch(NAME, hub.branch, tmp_path))
    assert name in message
    assert "arrived broken" in message
    hub.damaged.clear()
    folder = fetch(NAME, hub.branch, tmp_path)
    assert (folder / name).read_bytes() == hub.files[name]


def test_a_disk_that_is_too_small_is_reported_before_the_download(
    hub: Hub, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "are needed here" in reported(lambda: fetch(NAME, hub.branch, tmp_path))
    assert hub.sent == []


def test_a_disk_that_becomes_full_is_reported_in_one_line(
    hub: Hub, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if "a" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, mode, *rest, **more)

    def full_open(path: Path, mode: str) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    opened = Path.open
    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr(modelscope_hub._download, "open", full_open, raising=False)
    assert "the disk became full" in reported(lambda: fetch(NAME, hub.branch, tmp_path))


def test_a_repository_without_safetensors_is_reported(
    hub: Hub, fetch: Fetch, tmp_path: Path
) -> None:
    hub.files = dict(UNWANTED)
    assert "no files of a safetensors model" in reported(lambda: fetch(NAME, hub.branch, tmp_path))


def test_a_local_model_must_be_a_folder(model: Path) -> None:
    assert fetch_local(model) == model
    assert "no such folder" in reported(lambda: fetch_local(model / "none"))
    assert "found a file" in reported(lambda: fetch_local(model / "config.json"))


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "tokenizer.json", INDEX, *SHARDS]
)
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()
    assert name in reported(lambda: check_model(model))


@pytest.mark.parametrize("size", [0, 4, 60, 70_000])
def test_weights_cut_short_are_found(model: Path, size: int) -> None:
    shard = model / SHARDS[0]
    shard.write_bytes(shard.read_bytes()[:size])
    message = reported(lambda: check_model(model))
    assert SHARDS[0] in message
    assert "broken safetensors" in message


def test_weights_of_another_model_are_found(model: Path) -> None:
    (model / SHARDS[0]).write_bytes(save({"c.weight": np.zeros(3)}))
    assert "a.weight" in reported(lambda: check_model(model))


def test_weights_in_one_file_need_no_index(model: Path) -> None:
    for name in (INDEX, *SHARDS):
        (model / name).unlink()
    (model / "model.safetensors").write_bytes(save({"a": np.zeros((2, 3), dtype=np.float16)}))
    assert describe_model(model)["num_parameters"] == 6
    assert describe_model(model)["dtype"] == "F16"


@pytest.mark.parametrize(("tied", "num_parameters"), [(True, 6), (False, 12)])
def test_a_head_that_is_the_embeddings_counts_once(
    tied: bool, num_parameters: int, model: Path
) -> None:
    for name in (INDEX, *SHARDS):
        (model / name).unlink()
    weights = {name: np.zeros((2, 3)) for name in ("model.embed_tokens.weight", "lm_head.weight")}
    (model / "model.safetensors").write_bytes(save(weights))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": tied}))
    assert describe_model(model)["num_parameters"] == num_parameters
    assert count_parameters(model) == num_parameters


def test_a_local_model_is_copied_without_pickles_and_code(model: Path, tmp_path: Path) -> None:
    for name in ("training_args.bin", "optimizer.pt", "modeling_odd.py"):
        (model / name).write_bytes(b"code")
    (tmp_path / "copy").mkdir()
    write_description(model, tmp_path / "copy")
    copy_weights(model, tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir()} == WANTED
    check_model(tmp_path / "copy")


def test_pickled_weights_alone_are_refused(model: Path) -> None:
    for name in (INDEX, *SHARDS):
        (model / name).unlink()
    (model / "pytorch_model.bin").write_bytes(b"pickle")
    assert "only safetensors" in reported(lambda: check_model(model))


@pytest.mark.parametrize("listed", [None, [], ["BertForMaskedLM"]])
def test_a_model_that_does_not_write_is_refused(model: Path, listed: list[str] | None) -> None:
    (model / "config.json").write_text(json.dumps({"architectures": listed}))
    assert "ForCausalLM" in reported(lambda: check_model(model))


def test_a_model_that_brings_its_own_code_is_refused(model: Path) -> None:
    config = {"architectures": ["OddForCausalLM"], "auto_map": {"AutoConfig": "odd.OddConfig"}}
    (model / "config.json").write_text(json.dumps(config))
    message = reported(lambda: check_model(model))
    assert "OddForCausalLM" in message
    assert "trust_remote_code stays off" in message


def test_a_base_model_without_chat_template_is_refused(model: Path) -> None:
    (model / "tokenizer_config.json").write_text("{}")
    assert "no chat template" in reported(lambda: check_model(model))
    (model / "chat_template.jinja").write_text("{{ messages }}")
    check_model(model)


def test_an_index_that_leads_out_of_the_folder_is_refused(model: Path) -> None:
    (model / INDEX).write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))
    assert "is not a file name" in reported(lambda: check_model(model))
