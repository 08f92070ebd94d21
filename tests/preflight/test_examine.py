"""Every rule, seen both ways; every remedy names what to change."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, get_args

import pytest

from newsrec.engines.vllm_engine import vllm_python
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.preflight.examine import PACKAGES, DataNeeds, Finding, Step, examine
from newsrec.preflight.machine import Memory
from newsrec.running import places
from tests.compositions import write_params
from tests.preflight.conftest import GB, Machine, gpu, pinned

STEPS = set(get_args(Step))
RAM = Memory("RAM", 64 * GB, 60 * GB)


@cache
def composed(*overrides: str) -> SharedParams:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        write_params(path, *overrides)
        return load_params(SharedParams, path)


def params(overrides: dict[str, Any]) -> SharedParams:
    """Qwen3-8B, with choices of groups and values of keys."""
    groups = {"model": "qwen3-8b", **{key: overrides[key] for key in overrides if "." not in key}}
    found = composed(*(f"{group}={choice}" for group, choice in groups.items()))
    for key, value in overrides.items():
        if "." in key:
            section, name = key.split(".")
            changed = replace(getattr(found, section), **{name: value})
            found = replace(found, **{section: changed})
    return found


def find(what: str, overrides: dict[str, Any], data: DataNeeds | None = None) -> Finding:
    (finding,) = (one for one in examine(params(overrides), STEPS, data) if one.what == what)
    return finding


TRAIN, SCORE = "GPU memory to train (lora)", "GPU memory to score"
CUTOFF, BATCH, KV_CACHE = "train.cutoff_len", "score.batch_size", "score.cpu_kv_cache_gib"
CPU, CUDA = {"vllm": "0.32.0+cpu"}, {"vllm": "0.32.0"}
TRANSFORMERS = {"engine": "transformers"}
SHARED = {"train.batch_size": 4, "train.processes": 4}


@pytest.mark.parametrize(
    ("what", "facts", "overrides", "level", "words"),
    [
        (TRAIN, {"gpus": [gpu(24)]}, {}, "ok", ""),
        (
            TRAIN,
            {"gpus": [gpu(24), gpu(24, 18)]},
            {},
            "warning",
            "end other programs that use it, or lower",
        ),
        (TRAIN, {"gpus": [gpu(18)]}, {}, "warning", "lower, in this order: train.batch_size"),
        (TRAIN, {"gpus": [gpu(12)]}, {}, "problem", "alone take 16.4 GB: choose train=qlora"),
        ("RAM to train (lora)", {"gpus": []}, {}, "ok", ""),
        (
            "RAM to train (lora)",
            {"gpus": [], "ram": gpu(20)._replace(device="RAM")},
            {},
            "warning",
            "low",
        ),
        ("RAM to train (lora)", {"gpus": []}, SHARED, "problem", "choose train=qlora"),
        (TRAIN, {"gpus": [gpu(48)]}, SHARED, "ok", ""),
        (SCORE, {"gpus": [gpu(24)]}, {}, "ok", ""),
        (
            SCORE,
            {"gpus": [gpu(24, 20)]},
            {},
            "warning",
            "end other programs that use it, or lower score.gpu",
        ),
        (SCORE, {"gpus": [gpu(20)]}, {}, "warning", "raise score.gpu_memory_utilization, lower"),
        (
            SCORE,
            {"gpus": [gpu(18)]},
            {},
            "problem",
            "raise score.gpu_memory_utilization, or choose",
        ),
        (SCORE, {"gpus": [gpu(12)]}, {}, "problem", "16.4 GB: choose a smaller model"),
        (SCORE, {}, {**TRANSFORMERS, BATCH: 64}, "warning", "lower score.batch_size, or choose"),
        (SCORE, {}, {**TRANSFORMERS, BATCH: 1}, "ok", ""),
        (SCORE, {}, {"engine": "openai-api", BATCH: 64}, "ok", ""),
        ("RAM to score", {"gpus": []}, {}, "ok", ""),
        ("RAM to score", {"gpus": []}, {KV_CACHE: 40}, "warning", "lower score.cpu_kv_cache_gib"),
        ("RAM to load and merge", {}, {}, "ok", ""),
        (
            "RAM to load and merge",
            {"ram": RAM._replace(free=9 * GB)},
            {},
            "warning",
            "end other programs",
        ),
        (
            "RAM to load and merge",
            {"ram": RAM._replace(total=9 * GB)},
            {},
            "problem",
            "16.4 GB: choose",
        ),
        ("GPU", {}, {}, "ok", ""),
        ("GPU", {"gpus": []}, {"model": "qwen3-0.6b"}, "ok", ""),
        ("GPU", {"gpus": []}, {}, "warning", "8.2 billion parameters take days"),
        ("train.precision", {}, {"train.precision": "bf16"}, "ok", ""),
        ("train.precision", {}, {"train.precision": "fp16"}, "ok", ""),
        (
            "train.precision",
            {"gpus": []},
            {"train.precision": "fp16"},
            "problem",
            "GPU and train.pre",
        ),
        ("train.precision", {"gpus": []}, {}, "ok", ""),
        (
            "train.precision",
            {"gpus": []},
            {"train.precision": "bf16"},
            "problem",
            "GPU and train.pre",
        ),
        ("train.precision", {}, {"train": "freeze"}, "ok", ""),
        ("train.precision", {"gpus": []}, {"train": "freeze", "model.dtype": "float32"}, "ok", ""),
        (
            "train.precision",
            {"gpus": []},
            {"train": "freeze"},
            "problem",
            "(if train=freeze) train=lora",
        ),
        (
            "train.precision",
            {},
            {"train": "freeze", "train.precision": "fp32"},
            "problem",
            "train.precision=auto",
        ),
        ("torch", {}, {}, "ok", ""),
        ("torch", {"gpus": [], "packages": {**pinned(), "torch": "2.13.0+cpu"}}, {}, "ok", ""),
        (
            "torch",
            {"packages": {**pinned(), "torch": "2.13.0+cpu"}},
            {},
            "warning",
            "the GPU is unused",
        ),
        ("torch", {"packages": {**pinned(), "torch": "2.12.0"}}, {}, "warning", "make env"),
        ("adapters", {"packages": {}}, {}, "problem", "make env"),
        ("train.report_to", {}, {"train.report_to": "mlflow"}, "problem", "-m pip install mlflow"),
        (
            "train.report_to",
            {"packages": {**pinned(), "mlflow": "3.0.0"}},
            {"train.report_to": "mlflow"},
            "ok",
            "",
        ),
        ("vllm", {"gpus": [], "packages": {**pinned(), **CPU}}, {}, "ok", ""),
        ("vllm", {}, {}, "ok", ""),
        ("vllm", {"packages": {**pinned(), "vllm": "0.31.0"}}, {}, "warning", "make VLLM=cuda env"),
        ("vllm", {"packages": {**pinned(), **CPU}}, {}, "warning", "unused: make VLLM=cuda env"),
        ("vllm", {"gpus": []}, {}, "problem", "make VLLM=cpu env"),
        ("vllm", {"packages": {}}, {}, "problem", "NEWSREC_VLLM_PYTHON=another/python"),
        ("hub of the model", {}, {}, "ok", ""),
        ("hub of the model", {"ask_hub": ("http://hub", "HTTP 503")}, {}, "problem", "HF_ENDPOINT"),
        (CUTOFF, {}, {CUTOFF: 40960}, "ok", ""),
        (CUTOFF, {}, {CUTOFF: 40961}, "problem", "lower train.cutoff_len to 40960"),
        (
            "score.max_model_len",
            {},
            {"score.max_model_len": 40961},
            "problem",
            "lower score.max_mod",
        ),
    ],
)
def test_a_rule_is_seen_both_ways(
    what: str,
    facts: dict[str, Any],
    overrides: dict[str, Any],
    level: str,
    words: str,
    plenty: Machine,
) -> None:
    plenty.has(**facts)
    finding = find(what, overrides)
    assert finding.level == level
    assert words in finding.remedy


def disk(plenty: Machine, free: int, copies: bool) -> Finding:
    plenty.has(free_disk=free * GB, dvc_cache=(Path(), copies))
    return find(f"disk of {Path().absolute()}", {})


def test_dvcs_copies_take_space_and_can_be_spared(plenty: Machine) -> None:
    # 36 GB without copies but for 2 GB of data, 33 GB with.
    assert disk(plenty, 67, copies=True).level == "ok"
    scarce = disk(plenty, 60, copies=True)
    assert scarce.level == "problem"
    assert scarce.remedy.startswith("free 6.8 GB; or avoid DVC's copies (dvc config cache.type ")
    assert disk(plenty, 35, copies=False).level == "ok"
    assert disk(plenty, 30, copies=False).remedy == "free 4.0 GB; or choose a smaller model"


def test_a_cache_on_another_disk_has_a_line_of_its_own(plenty: Machine, tmp_path: Path) -> None:
    far = tmp_path / "far"
    plenty.has(dvc_cache=(far, False))
    here, there = (find(f"disk of {folder}", {}) for folder in (tmp_path, far))
    plenty.has(dvc_cache=(Path(), False))
    both = find(f"disk of {tmp_path}", {})
    sizes = [float(one.needed.removesuffix(" GB")) for one in (here, there, both)]
    assert sizes[0] + sizes[1] == pytest.approx(sizes[2], abs=0.2)
    assert sizes[0] < sizes[1]


def test_the_folder_of_a_local_model_must_be_there(plenty: Machine, tmp_path: Path) -> None:
    finding = find("fetch_model.path", {"model": "local", "fetch_model.path": str(tmp_path)})
    assert finding.level == "problem"
    assert finding.found == f"{tmp_path}/config.json: not found"
    (tmp_path / "config.json").write_text("{}")
    local = {"model": "local", "fetch_model.path": str(tmp_path)}
    assert find("fetch_model.path", local).level == "ok"
    assert find("memory", local).found == "a model of unknown shape"


def test_the_hub_of_the_data_is_asked_where_they_come_from_one(plenty: Machine) -> None:
    data = DataNeeds(disk=GB, hub="huggingface", instead="data=local")
    assert find("hub of the data", {}, data).level == "ok"
    plenty.has(ask_hub=("http://hub", "ConnectionError"))
    assert find("hub of the data", {}, data).line == (
        "hub of the data: no answer (ConnectionError), an answer from http://hub needed; check the "
        "network, proxies, HF_ENDPOINT or MODELSCOPE_ENDPOINT; or data=local"
    )


def test_what_the_server_behind_a_url_needs_is_not_asked_here(plenty: Machine) -> None:
    plenty.has(gpus=[gpu(1)])
    served = {"engine": "openai-api", "score.api_server": "url"}
    assert find("memory to score", served).level == "ok"


def test_a_finding_says_in_a_line_what_was_found_needed_and_to_do(plenty: Machine) -> None:
    line = find(CUTOFF, {CUTOFF: 50000}).line
    assert line.startswith("train.cutoff_len: 50000, 40960 at most needed; lower train.cutoff_len")


def test_a_missing_package_is_shown_with_the_python_that_lacks_it(plenty: Machine) -> None:
    plenty.has(packages={})
    assert find("vllm", {}).found == f"missing in {vllm_python()}"


def test_every_package_is_pinned() -> None:
    assert {*PACKAGES.split(), "vllm"} <= set(pinned())


@pytest.mark.parametrize(
    ("folder", "level", "words"),
    [
        ("b{x}", "problem", "DVC fails in a path with { or }: move the project"),
        ("h#sh", "warning", "dvc exp run --queue and --temp fail in a path with #"),
        ("q?m", "warning", "--queue and --temp fail"),
        ("é中", "warning", "a non-ASCII character"),
    ],
)
@pytest.mark.usefixtures("plenty")
def test_a_path_that_dvc_misreads_is_reported(
    folder: str, level: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    found = find("path of the project", {})
    assert (found.level, found.found) == (level, str(tmp_path / folder))
    assert words in found.line


@pytest.mark.usefixtures("plenty")
def test_a_path_that_all_understand_is_not_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "two words [1] 50% $HOME").mkdir()
    monkeypatch.chdir(tmp_path / "two words [1] 50% $HOME")
    assert "path of the project" not in {one.what for one in examine(params({}), STEPS)}


@pytest.mark.usefixtures("plenty")
def test_a_path_that_needs_a_link_where_none_can_be_made_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "two words").mkdir()
    monkeypatch.chdir(tmp_path / "two words")
    places._plain_folder.cache_clear()
    monkeypatch.setattr(places, "is_writable", lambda _: False)
    found = find("path of the project", {})
    assert found.level == "problem"
    assert "set TMPDIR" in found.line


def test_a_full_folder_of_temporary_files_is_reported(plenty: Machine) -> None:
    plenty.has(free_disk=GB // 20)
    found = find(f"temporary files in {gettempdir()}", {})
    assert (found.level, found.needed) == ("warning", "0.1 GB")
    assert "set TMPDIR to another folder" in found.line
